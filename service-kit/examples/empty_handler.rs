//! The floor of `scripts/bench`: an actix-web server whose handlers do nothing.
//! `empty_handler ADDRESS`

use actix_web::{App, HttpResponse, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let cores = std::thread::available_parallelism()?.get();
    HttpServer::new(|| {
        App::new()
            .route("/readyz", web::get().to(HttpResponse::Ok))
            .route("/", web::get().to(|| async { HttpResponse::Ok().body("{}") }))
            .route("/", web::post().to(|_: web::Bytes| async { HttpResponse::Ok().body("{}") }))
    })
    .workers(cores)
    .bind(address)?
    .run()
    .await
}
