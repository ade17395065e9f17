//! A service behind the layers of the tests, and how it is asked.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shared_claims::AccessClaims;
use tower_service::Service;

/// Answers 200, with the subject of the claims that a layer left for it.
#[derive(Clone)]
pub(crate) struct Inner;

impl Service<http::Request<()>> for Inner {
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<()>) -> Self::Future {
        let claims = request.extensions().get::<Arc<AccessClaims>>();
        ready(Ok(http::Response::new(claims.map(|claims| claims.sub.clone()).unwrap_or_default())))
    }
}

/// There is nothing to wait for.
pub(crate) fn answer_of<S: Service<http::Request<()>, Error = Infallible>>(
    service: &mut S,
    request: http::Request<()>,
) -> S::Response {
    let mut called = pin!(service.call(request));
    let answered = called.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(response)) = answered else { unreachable!("it waits for something") };
    response
}
