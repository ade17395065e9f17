//! The yardsticks: what the same framework costs when nothing is asked of it but the unavoidable.
//!
//! `floor http ADDRESS`, `floor grpc ADDRESS`, `floor notes ADDRESS DATA_DIR`, `floor argon2 SECONDS`

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{Data, Form};
use actix_web::{App, HttpResponse, HttpServer, web};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use bench::BareKey;
use resource_service::notes::{NoteStore, PageRequest};
use serde::Deserialize;
use serde_json::json;
use signet_proto::auth::v1::token_service_server::{TokenService, TokenServiceServer};
use signet_proto::auth::v1::{
    ClientToken, ExchangeTokenRequest, IntrospectRequest, IntrospectResponse, IssueClientTokenRequest,
    ObtainPairRequest, RefreshRequest, RevokeRequest, RevokeResponse, TokenPair, VerifyRequest,
    VerifyResponse,
};
use tonic::{Request, Response, Status};

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["http", address] => actix_web::rt::System::new().block_on(http(address)),
        ["grpc", address] => tokio::runtime::Runtime::new()?.block_on(grpc(address)),
        ["notes", address, folder] => actix_web::rt::System::new().block_on(notes(address, folder)),
        ["argon2", seconds] => bare_argon2(Duration::from_secs(seconds.parse()?)),
        _ => Err("floor http|grpc ADDRESS, floor notes ADDRESS DATA_DIR, floor argon2 SECONDS".into()),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[derive(Deserialize)]
struct TokenRequest {
    client_id: String,
}

/// An empty GET and POST, and a POST of a form that signs and answers JSON.
async fn http(address: &str) -> Result<(), Failed> {
    let (eddsa, es256) = (Arc::new(BareKey::generate("EdDSA")), Arc::new(BareKey::generate("ES256")));
    let token = |key: Arc<BareKey>| {
        move |form: Form<TokenRequest>| {
            let token = key.token(&form.client_id);
            async move {
                HttpResponse::Ok().json(json!({
                    "access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "notes:read",
                }))
            }
        }
    };
    HttpServer::new(move || {
        App::new()
            .route("/readyz", web::get().to(HttpResponse::Ok))
            .route("/", web::get().to(|| async { HttpResponse::Ok().body("{}") }))
            .route("/", web::post().to(|_: web::Bytes| async { HttpResponse::Ok().body("{}") }))
            .route("/EdDSA", web::post().to(token(Arc::clone(&eddsa))))
            .route("/ES256", web::post().to(token(Arc::clone(&es256))))
    })
    .workers(cores())
    .bind(address)?
    .run()
    .await?;
    Ok(())
}

/// The list of the notes, of one owner and for everybody.
async fn notes(address: &str, folder: &str) -> Result<(), Failed> {
    let store = Data::new(NoteStore::open(&Path::new(folder).join("notes.db"))?);
    let list = |store: Data<NoteStore>| async move {
        let page = PageRequest::parse(None, "").map_err(|error| error.to_string());
        let notes = web::block(move || store.list("client:bench", &page.unwrap())).await;
        HttpResponse::Ok().json(notes.unwrap().unwrap())
    };
    HttpServer::new(move || {
        App::new()
            .app_data(store.clone())
            .route("/readyz", web::get().to(HttpResponse::Ok))
            .route("/notes", web::get().to(list))
    })
    .workers(cores())
    .bind(address)?
    .run()
    .await?;
    Ok(())
}

/// `Verify` does nothing at all; the rest is not there.
struct Empty;

#[tonic::async_trait]
impl TokenService for Empty {
    async fn verify(&self, _: Request<VerifyRequest>) -> Result<Response<VerifyResponse>, Status> {
        Ok(Response::new(VerifyResponse {}))
    }

    async fn obtain_pair(&self, _: Request<ObtainPairRequest>) -> Result<Response<TokenPair>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn refresh(&self, _: Request<RefreshRequest>) -> Result<Response<TokenPair>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn revoke(&self, _: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn issue_client_token(
        &self,
        _: Request<IssueClientTokenRequest>,
    ) -> Result<Response<ClientToken>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn exchange_token(
        &self,
        _: Request<ExchangeTokenRequest>,
    ) -> Result<Response<ClientToken>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn introspect(
        &self,
        _: Request<IntrospectRequest>,
    ) -> Result<Response<IntrospectResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn grpc(address: &str) -> Result<(), Failed> {
    tonic::transport::Server::builder()
        .add_service(TokenServiceServer::new(Empty))
        .serve(address.parse()?)
        .await?;
    Ok(())
}

/// Verifies one password on each core until the time is over; prints verifications a second.
fn bare_argon2(time: Duration) -> Result<(), Failed> {
    let verify = move || {
        let params = Params::new(19_456, 2, 1, None).map_err(|error| error.to_string())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password(b"correct horse").map_err(|error| error.to_string())?.to_string();
        let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
        let (started, mut times) = (Instant::now(), 0_u32);
        while started.elapsed() < time {
            argon2.verify_password(b"correct horse", &hash).map_err(|error| error.to_string())?;
            times += 1;
        }
        Ok::<f64, String>(f64::from(times) / started.elapsed().as_secs_f64())
    };
    let threads: Vec<_> = (0..cores()).map(|_| std::thread::spawn(verify)).collect();
    let mut rate = 0.0;
    for thread in threads {
        rate += thread.join().map_err(|_| "a thread panicked")??;
    }
    println!("{rate:.1}");
    Ok(())
}
