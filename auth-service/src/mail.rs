//! E-mails to users, by SMTP: queued in memory and sent by one thread, so that no request waits for a mail server and
//! none takes longer because there was someone to write to.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Message, SmtpTransport, Transport};

use crate::error::{Error, ErrorKind, Result};
use crate::metrics;

/// E-mails that may wait; more are refused with 503.
const MAX_WAITING: usize = 256;

/// Longest time for one step of a conversation with the mail server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long is waited before each further try: after the last one an e-mail is given up, and its owner asks again.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

/// What is written to someone. The text may hold a token: it is printed nowhere.
pub struct EmailMessage {
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Where e-mails go.
pub struct MailPolicy {
    /// `smtp://HOST:PORT` or `smtps://HOST:PORT`, as lettre reads it.
    pub url: String,
    pub credentials: Option<(String, String)>,
    pub from: String,
}

/// A handle on the queue; what waits in it when the process ends is lost, and asked for again. The thread that sends
/// starts with the first e-mail.
pub struct Mailer {
    transport: SmtpTransport,
    from: Mailbox,
    /// `None` in the queue stands for an e-mail that is not sent, so that it takes as long.
    emails: OnceLock<Option<SyncSender<Option<EmailMessage>>>>,
}

impl Mailer {
    /// # Errors
    /// One line: what is wrong with the settings.
    pub fn new(policy: MailPolicy) -> std::result::Result<Self, String> {
        let from: Mailbox = policy.from.parse().map_err(|error| format!("mail.from: {error}"))?;
        Ok(Self { transport: transport(policy)?, from, emails: OnceLock::new() })
    }

    fn start(&self) -> Option<SyncSender<Option<EmailMessage>>> {
        let (emails, waiting) = sync_channel(MAX_WAITING);
        let (transport, sender) = (self.transport.clone(), self.from.clone());
        let started = thread::Builder::new()
            .name("mail".to_owned())
            .spawn(move || send_all(&transport, &sender, &waiting));
        if let Err(error) = &started {
            tracing::error!(%error, "the mail thread cannot start");
        }
        started.ok().map(|_| emails)
    }

    /// Starts the thread that sends, which else starts with the first e-mail.
    ///
    /// # Errors
    /// The system gave no thread.
    pub(crate) fn start_sending(&self) -> std::result::Result<(), String> {
        let started = self.emails.get_or_init(|| self.start()).is_some();
        if started { Ok(()) } else { Err("the mail thread could not start".to_owned()) }
    }

    /// Queues an e-mail, or nothing, which takes as long.
    ///
    /// # Errors
    /// `Overloaded` when too many wait; `InvalidRequest` for an address that cannot be written to.
    pub fn send(&self, email: Option<EmailMessage>) -> Result<()> {
        if let Some(email) = &email {
            // Before it is taken on: an address that no server would take is the caller's mistake.
            message(&self.from, email)
                .map_err(|_| Error::invalid_request("the address cannot be written to"))?;
        }
        let overloaded = |cause: &str| Error::new(ErrorKind::Overloaded, cause);
        let emails = self.emails.get_or_init(|| self.start()).as_ref();
        let emails = emails.ok_or_else(|| overloaded("the mail thread could not start"))?;
        emails.try_send(email).map_err(|refused| match refused {
            TrySendError::Full(_) => overloaded("too many e-mails are waiting"),
            TrySendError::Disconnected(_) => overloaded("the mail thread has stopped"),
        })
    }
}

fn transport(policy: MailPolicy) -> std::result::Result<SmtpTransport, String> {
    let transport = SmtpTransport::from_url(&policy.url).map_err(|error| format!("mail.url: {error}"))?;
    let transport = transport.timeout(Some(TIMEOUT));
    Ok(match policy.credentials {
        Some((name, password)) => transport.credentials(Credentials::new(name, password)),
        None => transport,
    }
    .build())
}

/// Whether the mail server can be had. Writes nothing.
///
/// # Errors
/// One line.
pub fn reach(policy: MailPolicy) -> std::result::Result<(), String> {
    match transport(policy)?.test_connection() {
        Ok(true) => Ok(()),
        Ok(false) => Err("the mail server does not answer".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// An e-mail that is tried once more when its time has come.
struct Postponed {
    due: Instant,
    message: Message,
    tries: usize,
}

/// One that cannot be sent now holds no other up.
fn send_all(transport: &SmtpTransport, from: &Mailbox, waiting: &Receiver<Option<EmailMessage>>) {
    let mut postponed: Vec<Postponed> = Vec::new();
    loop {
        let due = postponed.iter().map(|email| email.due).min();
        let next = match due {
            Some(due) => waiting.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(None) => {}
            Ok(Some(email)) => match message(from, &email) {
                Ok(message) => postponed.extend(send_one(transport, message, 0)),
                Err(cause) => gave_up(&cause),
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // Postponed e-mails are sent even if new ones keep arriving.
        let now = Instant::now();
        if let Some(index) = postponed.iter().position(|email| email.due <= now) {
            let Postponed { message, tries, .. } = postponed.swap_remove(index);
            postponed.extend(send_one(transport, message, tries));
        }
        while postponed.len() > MAX_WAITING {
            postponed.remove(0);
            gave_up("too many e-mails are waiting for the mail server");
        }
    }
}

/// What is to be tried again.
fn send_one(transport: &SmtpTransport, message: Message, tries: usize) -> Option<Postponed> {
    let error = match transport.send(&message) {
        Ok(_) => {
            metrics::email(true);
            return None;
        }
        Err(error) => error,
    };
    // The server has said no, or nothing was said that it could have answered: no other try would change that.
    let pause = PAUSES.get(tries).filter(|_| !error.is_permanent() && !error.is_client());
    if pause.is_none() {
        gave_up(&error.to_string());
    }
    pause.map(|pause| Postponed { due: Instant::now() + *pause, message, tries: tries + 1 })
}

fn gave_up(cause: &str) {
    metrics::email(false);
    tracing::error!(cause, "an e-mail could not be sent");
}

fn message(from: &Mailbox, email: &EmailMessage) -> std::result::Result<Message, String> {
    let to: Mailbox = email.to.parse().map_err(|error| format!("{error}"))?;
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(email.subject.clone())
        .header(ContentType::TEXT_PLAIN)
        .body(email.text.clone())
        .map_err(|error| error.to_string())
}
