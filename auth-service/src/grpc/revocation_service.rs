use shared_claims::revocations::{Position, Target};
use signet_proto::auth::v1::revocation::Target as TargetMessage;
use signet_proto::auth::v1::revocation_service_server::RevocationService;
use signet_proto::auth::v1::{Revocation as RevocationMessage, RevocationUpdate, WatchRevocationsRequest};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status};

use super::watching::{HEARTBEAT, Updates, Watcher, Watching};
use crate::revocations::{Page, Revocation};

/// Entries in one message: about 20 KiB with ids of 32 characters.
const PAGE: usize = 500;

/// `signet.auth.v1.RevocationService`.
pub struct RevocationEndpoints {
    watching: Watching,
}

impl RevocationEndpoints {
    pub fn new(watching: Watching) -> Self {
        Self { watching }
    }
}

#[tonic::async_trait]
impl RevocationService for RevocationEndpoints {
    type WatchStream = Updates<RevocationUpdate>;

    async fn watch(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (watcher, updates) = self.watching.admit("revocations", &request).await?;
        let WatchRevocationsRequest { epoch, after_seq } = request.into_inner();
        let asked = Position { epoch, seq: after_seq };
        tokio::spawn(watch(watcher, self.watching.clone(), asked));
        Ok(Response::new(updates))
    }
}

async fn watch(watcher: Watcher<RevocationUpdate>, watching: Watching, asked: Position) {
    let authority = &watcher.authority;
    let mut news = authority.feeds.subscribe();
    if asked > authority.revocations.position() {
        // It was at a replica that knows more than this one: poll before saying that there is less.
        let _ = watching.blocking.next_poll().await;
    }
    let mut sent = asked;
    while watcher.may_go_on().await {
        if authority.is_fresh() && !send_all(&watcher, &watching.snapshots, &mut sent).await {
            return;
        }
        tokio::select! {
            _ = news.changed() => {}
            () = sleep_until(Instant::now() + HEARTBEAT) => {}
            () = watcher.gone() => return,
        }
    }
}

/// Everything behind what was sent, or the heartbeat if there is nothing. Another epoch begins from 0.
async fn send_all(watcher: &Watcher<RevocationUpdate>, snapshots: &Semaphore, sent: &mut Position) -> bool {
    let mut _turn = None;
    loop {
        let log = &watcher.authority.revocations;
        let mut page = log.page(sent.seq, PAGE);
        if page.position.epoch != sent.epoch {
            page = log.page(0, PAGE);
        }
        *sent = page.position;
        let more = page.more;
        let signed_time = watcher.authority.signed_time(page.position);
        if !watcher.send(update(page, signed_time.as_deref())).await {
            return false;
        }
        if !more {
            return true;
        }
        if _turn.is_none() {
            // The semaphore is never closed.
            _turn = snapshots.acquire().await.ok();
        }
    }
}

fn update(page: Page, signed_time: Option<&str>) -> RevocationUpdate {
    let Position { epoch, seq } = page.position;
    let entries = page.entries.iter().map(message).collect();
    // A caller that knows more than this replica is told where this replica stands.
    let (after_seq, signed_time) = (page.after.min(seq), signed_time.unwrap_or_default().to_owned());
    RevocationUpdate { epoch, after_seq, seq, entries, more: page.more, signed_time }
}

fn message(revocation: &Revocation) -> RevocationMessage {
    let entry = revocation.entry();
    let (target, not_before) = match entry.target {
        Target::Session(sid) => (TargetMessage::Session(sid.to_owned()), 0),
        Target::Token(jti) => (TargetMessage::Token(jti.to_owned()), 0),
        Target::Subject { sub, not_before } => (TargetMessage::Subject(sub.to_owned()), not_before),
        Target::Client { client_id, not_before } => (TargetMessage::Client(client_id.to_owned()), not_before),
    };
    RevocationMessage { target: Some(target), not_before, expires_at: entry.expires_at }
}
