//! The three error tables, side by side.

use auth_service::error::{ALL_KINDS, ErrorKind};
use auth_service::grpc::grpc_error;
use auth_service::http::{oauth_error, simplejwt_error};

/// Prints what every failure becomes at each protocol, and holds what must be true of all of them.
#[test]
fn every_failure_has_one_place_in_each_table() {
    println!("{:<46} {:<4} {:<24} {:<4} {:<18}", "failure", "HTTP", "word", "DRF", "gRPC");
    for kind in ALL_KINDS {
        let (oauth, word, description) = oauth_error(kind);
        let (drf, body) = simplejwt_error(kind);
        let (code, grpc_word) = grpc_error(kind);
        println!(
            "{:<46} {:<4} {word:<24} {:<4} {code:<18?}",
            format!("{kind:?}"),
            oauth.as_u16(),
            drf.as_u16()
        );
        assert_eq!(word, grpc_word, "both protocols use one word");
        assert!(!description.is_empty() && body["detail"].is_string());

        let retry = matches!(kind, ErrorKind::Overloaded | ErrorKind::Unavailable);
        assert_eq!(oauth.as_u16() == 503, retry, "{kind:?}");
        assert_eq!(drf.as_u16() == 503, retry, "{kind:?}");
        assert_eq!(oauth.is_server_error() && !retry, kind == ErrorKind::Internal, "only a defect is a 500");
        assert_eq!(drf.is_server_error() && !retry, kind == ErrorKind::Internal);
    }
}
