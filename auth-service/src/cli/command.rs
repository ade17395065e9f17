use clap::Subcommand;

use super::{
    audience, audit, backup, browser_session, client, consent, exchange, import, key, master_key, session,
    standalone, trusted_issuer, user,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve HTTP and gRPC until SIGTERM (the default).
    Serve,
    /// Bring the database schema up to date.
    Migrate,
    /// Manage users.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Manage clients: services and applications that request tokens.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// List, show and end sessions: one login at one client, with its refresh tokens.
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// List and end browser sessions: a user who is logged in, in one browser.
    #[command(subcommand)]
    BrowserSession(browser_session::BrowserSessionCommand),
    /// List and withdraw what users have allowed clients.
    #[command(subcommand)]
    Consent(consent::ConsentCommand),
    /// Manage audiences: services that accept tokens.
    #[command(subcommand)]
    Audience(audience::AudienceCommand),
    /// Manage trusted issuers: platforms whose tokens prove workloads.
    #[command(subcommand)]
    TrustedIssuer(trusted_issuer::TrustedIssuerCommand),
    /// Manage which clients may exchange tokens, to act for their users at other services.
    #[command(subcommand)]
    Exchange(exchange::ExchangeCommand),
    /// Import users and settings from a Django project.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Manage signing keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Change the master key, which encrypts all other keys.
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    /// Verify and list the audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Write a backup: database, master key and head of the audit log, in a new folder, checked. The authority may run.
    Backup(backup::BackupArguments),
    /// Announce that a backup of the database was restored by other means than `backup restore`: verifiers load all
    /// revocations and keys again. Run it once after each restore.
    Restored,
    /// Check that the running authority is ready, for container health checks.
    Healthcheck,
    #[command(flatten)]
    Standalone(standalone::StandaloneCommand),
}

impl Command {
    /// Whether it changes nothing: then it creates no database, no key and no folder either.
    pub(super) fn only_reads(&self) -> bool {
        match self {
            Self::User(command) => command.only_reads(),
            Self::Client(command) => command.only_reads(),
            Self::Session(command) => command.only_reads(),
            Self::BrowserSession(command) => command.only_reads(),
            Self::Consent(command) => command.only_reads(),
            Self::Audience(command) => command.only_reads(),
            Self::TrustedIssuer(command) => command.only_reads(),
            Self::Exchange(command) => command.only_reads(),
            Self::Key(command) => command.only_reads(),
            Self::Audit(command) => command.only_reads(),
            Self::Serve
            | Self::Migrate
            | Self::Import(_)
            | Self::MasterKey(_)
            | Self::Backup(_)
            | Self::Restored
            | Self::Healthcheck
            | Self::Standalone(_) => false,
        }
    }
}
