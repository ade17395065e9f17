//! Compiles the .proto files with protox, so that no protoc is needed on the machine.

use std::error::Error;
use std::{env, fs, path::PathBuf};

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo talks to build scripts by the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    let files = [
        "signet/auth/v1/key_service.proto",
        "signet/auth/v1/login_service.proto",
        "signet/auth/v1/revocation_service.proto",
        "signet/auth/v1/token_service.proto",
    ];
    // tonic-prost-build prints no such lines; without them an edited file would be ignored.
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=signet");
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().codec_path("crate::codec::SmallBuffers").compile_fds(descriptors)?;
    Ok(())
}
