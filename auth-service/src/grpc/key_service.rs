use shared_claims::revocations::Position;
use signet_proto::auth::v1::key_service_server::KeyService;
use signet_proto::auth::v1::{KeySetUpdate, WatchKeysRequest};
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status, Streaming};

use super::subscriptions::{HEARTBEAT, Subscriber, Subscriptions, Updates};
use crate::secret::random_id;
use crate::verifiers::ConnectedVerifier;

/// Most keys that a verifier may say it holds, and the longest id of one (that of the verifiers' own cap).
const MOST_KIDS: usize = 50;
const LONGEST_KID: usize = 128;

/// `signet.auth.v1.KeyService`.
pub(super) struct KeyEndpoints {
    subscriptions: Subscriptions,
}

impl KeyEndpoints {
    pub(super) fn new(subscriptions: Subscriptions) -> Self {
        Self { subscriptions }
    }
}

#[tonic::async_trait]
impl KeyService for KeyEndpoints {
    type WatchStream = Updates<KeySetUpdate>;

    async fn watch(
        &self,
        request: Request<Streaming<WatchKeysRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (subscriber, updates) = self.subscriptions.admit("keys", &request).await?;
        let address = request.remote_addr().map(|address| address.to_string()).unwrap_or_default();
        let id = random_id().map_err(|_| Status::unavailable("no randomness"))?;
        let client_id = subscriber.client.id.to_string();
        let verifier = ConnectedVerifier { id, client_id, address, kids: Vec::new() };
        tokio::spawn(watch(subscriber, verifier, request.into_inner()));
        Ok(Response::new(updates))
    }
}

async fn watch(
    subscriber: Subscriber<KeySetUpdate>,
    mut verifier: ConnectedVerifier,
    mut said: Streaming<WatchKeysRequest>,
) {
    let authority = std::sync::Arc::clone(&subscriber.authority);
    let id = verifier.id.clone();
    let mut news = authority.sync.feeds.subscribe();
    let (mut sent, mut noted) = (String::new(), false);
    while subscriber.may_go_on().await {
        let ring = authority.issuer.keys.ring();
        // A replica that does not see the database may not know that a key was revoked.
        if authority.is_fresh() {
            let jwks = if ring.etag == sent { Vec::new() } else { ring.jwks.clone().into_bytes() };
            sent.clone_from(&ring.etag);
            let Position { epoch, seq } = ring.position;
            if !subscriber.send(KeySetUpdate { jwks, epoch, seq }).await {
                break;
            }
        }
        let heartbeat = Instant::now() + HEARTBEAT;
        // An acknowledgement needs no answer.
        let answered = loop {
            tokio::select! {
                message = said.message() => match message {
                    Ok(Some(message)) if is_possible(&message) => {
                        if verifier.kids != message.held_kids || !noted {
                            verifier.kids = message.held_kids;
                            authority.sync.verifiers.note(verifier.clone());
                            noted = true;
                        }
                    }
                    _ => break false,
                },
                _ = news.changed() => break true,
                () = sleep_until(heartbeat) => break true,
                () = subscriber.gone() => break false,
            }
        };
        if !answered {
            break;
        }
    }
    authority.sync.verifiers.forget(&id);
}

fn is_possible(message: &WatchKeysRequest) -> bool {
    let possible = |kid: &String| {
        (1..=LONGEST_KID).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
    };
    message.held_kids.len() <= MOST_KIDS && message.held_kids.iter().all(possible)
}
