use std::convert::Infallible;
use std::future::{Pending, pending};
use std::task::{Context, Poll};
use std::time::Instant;

use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::{Code, Status};
use tower_layer::Layer;
use tower_service::Service;

use super::ObserveCalls;

/// A service that never answers.
struct Silent;

impl Service<Request<Body>> for Silent {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pending<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        pending()
    }
}

#[tokio::test]
async fn a_call_whose_deadline_has_passed_says_so_and_is_not_called_cancelled() {
    let mut observed = ObserveCalls::of(&[], &[]).unwrap().layer(Silent);
    for timeout in ["20m", "20000u", "0m"] {
        let request = Request::builder().uri("/x/Y").header("grpc-timeout", timeout).body(Body::empty());
        let begun = Instant::now();
        let answer = observed.call(request.unwrap()).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{timeout}");
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }
}
