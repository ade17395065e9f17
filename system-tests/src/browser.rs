//! A real browser: Debian's Chromium, driven by WebDriver, and sites of other origins for it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use thirtyfour::ChromeCapabilities;
use thirtyfour::prelude::*;

use crate::eventually;

/// A browser with a profile of its own; it ends with the test.
pub struct Browser {
    /// Never dropped: its own end would wait for an answer on the runtime of the test, which waits for it.
    pub driver: ManuallyDrop<WebDriver>,
    _processes: Processes,
}

/// The driver, and the browser that it started.
struct Processes {
    chromedriver: Child,
    browser: Option<Pid>,
}

impl Browser {
    /// # Panics
    /// When it is not installed.
    pub async fn start(profile: &Path) -> Self {
        Self::start_with(profile, |_| {}).await
    }

    /// One that runs no scripts of pages.
    ///
    /// # Panics
    /// When it is not installed.
    pub async fn without_scripts(profile: &Path) -> Self {
        Self::start_with(profile, |wanted| {
            let off = serde_json::json!({"profile.managed_default_content_settings.javascript": 2});
            wanted.add_experimental_option("prefs", off).expect("an option");
        })
        .await
    }

    async fn start_with(profile: &Path, change: impl FnOnce(&mut ChromeCapabilities)) -> Self {
        // It takes a free port of one family of addresses, and ends when the other has given the same to someone else.
        let started = std::iter::repeat_with(driver).take(5).flatten().next();
        let (mut processes, port) = started.expect("a driver that starts");
        let mut wanted = DesiredCapabilities::chrome();
        let data_dir = format!("--user-data-dir={}", profile.display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--window-size=1000,800",
            &data_dir,
        ];
        for argument in arguments {
            wanted.add_arg(argument).expect("an argument");
        }
        change(&mut wanted);
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.expect("a browser");
        // Its lock is a link to HOST-PID.
        let lock = fs::read_link(profile.join("SingletonLock")).expect("the lock of the profile");
        let pid = lock.to_str().and_then(|lock| lock.rsplit('-').next()?.parse().ok());
        processes.browser = pid.and_then(Pid::from_raw);
        Self { driver: ManuallyDrop::new(driver), _processes: processes }
    }

    /// # Panics
    /// When it cannot be loaded.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.expect("it is loaded");
    }

    /// A second tab, and the one before; the second is in front.
    ///
    /// # Panics
    /// When there is none.
    pub async fn open_in_new_tab(&self, url: &str) -> (WindowHandle, WindowHandle) {
        let first = self.driver.window().await.expect("a tab");
        let second = self.driver.new_tab().await.expect("a new tab");
        self.show(&second).await;
        self.open(url).await;
        (second, first)
    }

    /// # Panics
    /// When it is closed.
    pub async fn show(&self, tab: &WindowHandle) {
        self.driver.switch_to_window(tab.clone()).await.expect("the tab is there");
    }

    /// # Panics
    /// When there is no such element.
    pub async fn element(&self, selector: &str) -> WebElement {
        self.driver.find(By::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// What is typed goes to the element that has the focus, as from a keyboard.
    ///
    /// # Panics
    /// When it cannot be typed.
    pub async fn press(&self, keys: impl Into<TypingData>) {
        self.driver.active_element().await.expect("a focus").send_keys(keys).await.expect("it is typed");
    }

    /// Waits for an element.
    ///
    /// # Panics
    /// When it does not appear.
    pub async fn appears(&self, selector: &str) -> WebElement {
        eventually(selector, || async { self.driver.find(By::Css(selector)).await.ok() }).await
    }

    /// Waits for an element and clicks it.
    ///
    /// # Panics
    /// When it does not appear, or cannot be clicked.
    pub async fn click(&self, selector: &str) {
        self.appears(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Waits until an element has a text.
    ///
    /// # Panics
    /// When it never has; with what it has.
    pub async fn shows(&self, selector: &str, text: &str) {
        let began = Instant::now();
        eventually(&format!("{selector} shows {text:?}"), || async {
            // Between two pages there is none.
            let found = self.driver.find(By::Css(selector)).await.ok()?;
            let shown = found.text().await.unwrap_or_default();
            if began.elapsed() > Duration::from_secs(15) {
                println!("{selector} shows {shown:?}");
            }
            (shown == text).then_some(())
        })
        .await;
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// When it throws.
    pub async fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        self.driver.execute(&script, Vec::new()).await.expect("a value").json().clone()
    }
}

/// A driver and its port; `None` when it ended at once.
fn driver() -> Option<(Processes, u16)> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut chromedriver =
        command.spawn().expect("no browser for the tests: apt-get install chromium chromium-driver");
    let output = BufReader::new(chromedriver.stdout.take().expect("its output"));
    let processes = Processes { chromedriver, browser: None };
    // It writes `... started successfully on port 12345.`
    let mut lines = output.lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("successfully on port "))?;
    let digits = line.rsplit("on port ").next().unwrap_or_default().trim_end_matches('.');
    Some((processes, digits.parse().unwrap_or_else(|_| panic!("no port in {line:?}"))))
}

impl Drop for Processes {
    fn drop(&mut self) {
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
        // It outlives its driver.
        if let Some(browser) = self.browser {
            let _ = kill_process(browser, Signal::TERM);
        }
    }
}

/// A website with one page, whatever path is asked for.
pub struct Site {
    pub address: SocketAddr,
}

impl Site {
    /// Serves until the process ends.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn serve(html: &str) -> Self {
        Self::answering(&format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{html}",
            html.len()
        ))
    }

    /// Leads every browser on to another address.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn leading_to(url: &str) -> Self {
        Self::answering(&format!(
            "HTTP/1.1 303 See Other\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ))
    }

    fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let answer: Arc<str> = answer.into();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let answer = Arc::clone(&answer);
                thread::spawn(move || {
                    let mut connection = connection;
                    // A GET fits into one segment.
                    let _ = connection.read(&mut [0; 8192]);
                    let _ = connection.write_all(answer.as_bytes());
                });
            }
        });
        Self { address }
    }
}
