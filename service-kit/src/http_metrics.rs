//! Counts HTTP requests by route, method and code. A route is the pattern of the program, never the path of
//! the caller, who could else make as many series as he likes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};

struct Series {
    requests: Counter,
    duration: Histogram,
}

type Key = (String, &'static str, u16);

thread_local! {
    // A worker's own: finding a series takes no lock. As many entries as routes, methods and codes.
    static SERIES: RefCell<HashMap<Key, Series>> = RefCell::default();
}

/// Notes one answered request.
pub fn answered(request: &HttpRequest, status: StatusCode, took: Duration) {
    let route = request.match_pattern().unwrap_or_else(|| "other".to_owned());
    let method = name_of(request.method());
    SERIES.with_borrow_mut(|series| {
        let key = (route, method, status.as_u16());
        let series = series.entry(key).or_insert_with_key(|(route, method, code)| Series {
            requests: counter!("http_requests_total", "route" => route.clone(), "method" => *method, "code" => code.to_string()),
            duration: histogram!("http_request_duration_seconds", "route" => route.clone(), "method" => *method),
        });
        series.requests.increment(1);
        series.duration.record(took.as_secs_f64());
    });
}

/// Anyone who invents methods gets one series for all of them.
pub(crate) fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
