//! Letters to people, by SMTP: queued in memory and sent by one thread, so that no request waits for a mail server and
//! none takes longer because there was somebody to write to.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Message, SmtpTransport, Transport};

use crate::error::{Error, ErrorKind, Result};
use crate::measures;

/// Letters that wait; more are refused: whoever asked is told to come back.
const MAX_WAITING: usize = 256;

/// Longest time for one step of a conversation with the mail server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long is waited before each further try: after the last one a letter is given up, and its owner asks again.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

/// What is written to somebody. The text may hold a token: it is printed nowhere.
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Where letters go.
pub struct MailPolicy {
    /// `smtp://HOST:PORT` or `smtps://HOST:PORT`, as lettre reads it.
    pub url: String,
    pub credentials: Option<(String, String)>,
    pub from: String,
}

/// A handle on the queue; what waits in it when the process ends is lost, and asked for again.
pub struct Mailer {
    /// `None` stands for a letter that nobody gets.
    letters: SyncSender<Option<Letter>>,
    from: Mailbox,
}

impl Mailer {
    /// # Errors
    /// One line: what is wrong with the settings.
    pub fn start(policy: MailPolicy) -> std::result::Result<Self, String> {
        let from: Mailbox = policy.from.parse().map_err(|error| format!("mail.from: {error}"))?;
        let transport = transport(policy)?;
        let (letters, waiting) = sync_channel(MAX_WAITING);
        let sender = from.clone();
        thread::Builder::new()
            .name("mail".to_owned())
            .spawn(move || send_all(&transport, &sender, &waiting))
            .map_err(|error| format!("no thread: {error}"))?;
        Ok(Self { letters, from })
    }

    /// Queues a letter, or nothing, which takes as long.
    ///
    /// # Errors
    /// `Overloaded` when too many wait; `InvalidRequest` for an address that cannot be written to.
    pub fn send(&self, letter: Option<Letter>) -> Result<()> {
        if let Some(letter) = &letter {
            // Before it is taken on: an address that no server would take is the caller's mistake.
            message(&self.from, letter)
                .map_err(|_| Error::invalid_request("the address cannot be written to"))?;
        }
        self.letters.try_send(letter).map_err(|refused| {
            let cause = match refused {
                TrySendError::Full(_) => "too many letters wait",
                TrySendError::Disconnected(_) => "nobody sends letters any more",
            };
            Error::new(ErrorKind::Overloaded, cause)
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

/// Whether a mail server would take it, as far as can be told by looking at it.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

fn send_all(transport: &SmtpTransport, from: &Mailbox, waiting: &Receiver<Option<Letter>>) {
    while let Ok(letter) = waiting.recv() {
        let Some(letter) = letter else { continue };
        let sent = send_one(transport, from, &letter);
        measures::letter(sent.is_ok());
        if let Err(cause) = sent {
            tracing::error!(cause, "a letter could not be sent");
        }
    }
}

fn send_one(transport: &SmtpTransport, from: &Mailbox, letter: &Letter) -> std::result::Result<(), String> {
    let message = message(from, letter)?;
    let mut pauses = PAUSES.iter();
    loop {
        match transport.send(&message) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_permanent() => return Err(error.to_string()),
            Err(error) => match pauses.next() {
                Some(pause) => wait(*pause),
                None => return Err(error.to_string()),
            },
        }
    }
}

fn message(from: &Mailbox, letter: &Letter) -> std::result::Result<Message, String> {
    let to: Mailbox = letter.to.parse().map_err(|error| format!("{error}"))?;
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(letter.subject.clone())
        .header(ContentType::TEXT_PLAIN)
        .body(letter.text.clone())
        .map_err(|error| error.to_string())
}

#[expect(clippy::disallowed_methods, reason = "a mail server that is away tells nobody when it is back")]
fn wait(time: Duration) {
    thread::sleep(time);
}
