//! A service that calls others, over HTTP and gRPC, with one token that renews itself:
//! `caller https://auth.example.com billing SECRET-FILE https://orders.example.com/orders http://notes.example.com:9095`.

use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use reqwest_middleware::ClientBuilder;
use signet_client::TokenSource;
use tonic::transport::Channel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [_, authority, client_id, secret_file, orders, notes] = &std::env::args().collect::<Vec<_>>()[..]
    else {
        return Err("usage: caller AUTHORITY CLIENT-ID SECRET-FILE ORDERS-URL NOTES-URL".into());
    };
    let secret = std::fs::read_to_string(secret_file)?;
    let tokens = TokenSource::builder(authority, client_id, secret.trim()).build()?;

    let http = ClientBuilder::new(reqwest::Client::new()).with(tokens.middleware([orders.as_str()])?).build();
    let answer = http.get(orders).send().await?.error_for_status()?;
    println!("{}", answer.text().await?);

    let channel = Channel::from_shared(notes.clone())?.connect().await?;
    let mut client = NotesServiceClient::with_interceptor(channel, tokens.interceptor(notes).await?);
    for note in client.list_notes(ListNotesRequest::default()).await?.into_inner().notes {
        println!("{}", note.text);
    }
    Ok(())
}
