//! The gRPC service of the sample resource service. A service of your own has a crate like this one.

pub mod v1 {
    tonic::include_proto!("signet.notes.v1");
}

/// The file, for the names of methods in metrics and traces.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
