//! The gRPC services of Signet, compiled from the .proto files in this package.
//!
//! These types stop at the edge: only `grpc/` modules and tests name them.

mod codec;

pub mod auth {
    pub mod v1 {
        tonic::include_proto!("signet.auth.v1");
    }
}

/// All files, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
