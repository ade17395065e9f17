use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, web};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::caching::read_only;
use super::Locale;
use crate::http::HttpState;
use crate::settings::Pages;

const STYLE: &str = include_str!("../../../templates/style.css");
const SCRIPT: &str = include_str!("../../../templates/signet.js");

/// Largest logo, in bytes.
const MAX_LOGO: usize = 64 * 1024;

/// How the pages look. Files have a hash in their path: browsers keep them for ever, and a new version has another path.
pub(in crate::http) struct Brand {
    pub name: String,
    pub default_locale: Locale,
    pub stylesheet: String,
    pub script: String,
    pub logo: Option<String>,
    assets: Vec<Asset>,
}

struct Asset {
    path: String,
    content_type: &'static str,
    octets: Vec<u8>,
}

impl Brand {
    /// Reads the logo, once.
    ///
    /// # Errors
    /// In one line: the file cannot be read, is too large, or is no picture of ours.
    pub(in crate::http) fn load(settings: &Pages, base: &str) -> Result<Self, String> {
        let style = STYLE.replacen("COLOUR", &settings.colour, 1);
        let mut assets = vec![
            Asset::new("style.css", "text/css; charset=utf-8", style.into_bytes()),
            Asset::new("signet.js", "text/javascript; charset=utf-8", SCRIPT.as_bytes().to_vec()),
        ];
        if let Some(file) = &settings.logo_file {
            let failed = |cause: &str| format!("pages.logo_file: {}: {cause}", file.display());
            let octets = std::fs::read(file).map_err(|error| failed(&error.to_string()))?;
            if octets.len() > MAX_LOGO {
                return Err(failed("larger than 64 KiB"));
            }
            let asset = match octets.as_slice() {
                [0x89, b'P', b'N', b'G', ..] => Asset::new("logo.png", "image/png", octets),
                [b'<', ..] => Asset::new("logo.svg", "image/svg+xml", octets),
                _ => return Err(failed("neither PNG nor SVG")),
            };
            assets.push(asset);
        }
        let url = |name: &str| {
            let asset = assets.iter().find(|asset| asset.path.ends_with(name))?;
            Some(format!("{base}/assets/{}", asset.path))
        };
        Ok(Self {
            name: settings.name.clone(),
            default_locale: Locale::first_of(&settings.locale).unwrap_or(Locale::En),
            stylesheet: url("style.css").unwrap_or_default(),
            script: url("signet.js").unwrap_or_default(),
            logo: url("logo.png").or_else(|| url("logo.svg")),
            assets,
        })
    }
}

impl Asset {
    fn new(name: &str, content_type: &'static str, octets: Vec<u8>) -> Self {
        let hash = digest::digest(&digest::SHA256, &octets);
        let path = format!("{}/{name}", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..9]));
        Self { path, content_type, octets }
    }
}

pub(in crate::http) fn routes(app: &mut web::ServiceConfig, base: &str) {
    app.service(read_only(&format!("{base}/assets/{{hash}}/{{name}}"), asset));
}

async fn asset(path: Path<(String, String)>, state: Data<HttpState>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    let path = format!("{hash}/{name}");
    let Some(asset) = state.brand.assets.iter().find(|asset| asset.path == path) else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.content_type))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // A picture may hold a script; opened on its own it must not run.
        .insert_header(("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"))
        .body(asset.octets.clone())
}
