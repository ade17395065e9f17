use shared_claims::revocations::{Position, Target};
use signet_proto::auth::v1::revocation::Target as TargetMessage;
use signet_proto::auth::v1::revocation_service_server::RevocationService;
use signet_proto::auth::v1::{Revocation as RevocationMessage, RevocationUpdate, WatchRevocationsRequest};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status};

use super::subscriptions::{HEARTBEAT, Subscriber, Subscriptions, Updates};
use crate::revocations::{Page, Revocation};

/// Entries in one message: about 20 KiB with ids of 32 characters.
const PAGE: usize = 500;

/// `signet.auth.v1.RevocationService`.
pub(super) struct RevocationEndpoints {
    subscriptions: Subscriptions,
}

impl RevocationEndpoints {
    pub(super) fn new(subscriptions: Subscriptions) -> Self {
        Self { subscriptions }
    }
}

#[tonic::async_trait]
impl RevocationService for RevocationEndpoints {
    type WatchStream = Updates<RevocationUpdate>;

    async fn watch(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (subscriber, updates) = self.subscriptions.admit("revocations", &request).await?;
        let WatchRevocationsRequest { epoch, after_seq } = request.into_inner();
        let asked = Position { epoch, seq: after_seq };
        tokio::spawn(watch(subscriber, self.subscriptions.clone(), asked));
        Ok(Response::new(updates))
    }
}

async fn watch(subscriber: Subscriber<RevocationUpdate>, subscriptions: Subscriptions, asked: Position) {
    let authority = &subscriber.authority;
    let mut news = authority.sync.feeds.subscribe();
    if asked > authority.reader.revocations.position() {
        // It was at a replica that knows more than this one: poll before saying that there is less.
        let _ = subscriptions.blocking.next_poll().await;
    }
    let mut sent = asked;
    while subscriber.may_go_on().await {
        if authority.is_fresh() && !send_all(&subscriber, &subscriptions.snapshots, &mut sent).await {
            return;
        }
        tokio::select! {
            _ = news.changed() => {}
            () = sleep_until(Instant::now() + HEARTBEAT) => {}
            () = subscriber.gone() => return,
        }
    }
}

/// Sends everything after the position sent last, or the heartbeat. Another epoch starts from 0.
async fn send_all(
    subscriber: &Subscriber<RevocationUpdate>,
    snapshots: &Semaphore,
    sent: &mut Position,
) -> bool {
    let mut _turn = None;
    loop {
        let log = &subscriber.authority.reader.revocations;
        let mut page = log.page(sent.seq, PAGE);
        if page.position.epoch != sent.epoch {
            page = log.page(0, PAGE);
        }
        *sent = page.position;
        let more = page.more;
        let signed_time = subscriber.authority.signed_time(page.position);
        if !subscriber.send(update(page, signed_time.as_deref())).await {
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
    // A caller with a later position than this replica receives the position of this replica.
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
