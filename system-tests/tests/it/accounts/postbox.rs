//! A mail server that takes every e-mail and shows it: aiosmtpd, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use system_tests::eventually;

use crate::django::python;

const SERVER: &str = r#"
import asyncio, email, email.policy, json
from aiosmtpd.smtp import SMTP

postponed = set()

class Keep:
    # Whoever is called so has to be written to twice.
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("later") and address not in postponed:
            postponed.add(address)
            return "450 not now"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({"to": envelope.rcpt_tos, "from": str(letter["from"]), "subject": str(letter["subject"]),
                          "text": letter.get_content()}), flush=True)
        return "250 kept"

async def serve():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Keep()), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(serve())
"#;

pub struct Postbox {
    child: Child,
    pub url: String,
    letters: Arc<Mutex<Vec<Value>>>,
}

impl Postbox {
    pub fn start() -> Self {
        let mut child = Command::new(python())
            .args(["-c", SERVER])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap();
        let letters = Arc::<Mutex<Vec<Value>>>::default();
        let kept = Arc::clone(&letters);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, url: format!("smtp://127.0.0.1:{port}"), letters }
    }

    /// Waits for the next e-mail to someone, takes it out, and gives what it is about and its text.
    pub async fn letter(&self, to: &str) -> (String, String) {
        let letter = eventually("the letter comes", || async {
            let mut letters = self.letters.lock().unwrap();
            let place = letters.iter().position(|letter| letter["to"][0] == to)?;
            Some(letters.remove(place))
        })
        .await;
        let text = |name: &str| letter[name].as_str().unwrap().to_owned();
        (text("subject"), text("text"))
    }

    /// The token in the next e-mail to someone.
    pub async fn token(&self, to: &str) -> String {
        let (subject, text) = self.letter(to).await;
        let token = text.split_whitespace().max_by_key(|word| word.len()).unwrap();
        assert!(token.len() > 60, "{subject}: {text}");
        token.to_owned()
    }

    /// Who was written to, in order, of the e-mails that nobody has taken out.
    pub fn written_to(&self) -> Vec<String> {
        let letters = self.letters.lock().unwrap();
        letters.iter().map(|letter| letter["to"][0].as_str().unwrap().to_owned()).collect()
    }

    /// How many e-mails nobody has taken out.
    pub fn left(&self) -> usize {
        self.letters.lock().unwrap().len()
    }
}

impl Drop for Postbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
