use super::mac::{Fields, Mac};
use super::{Broken, Chain, Position};

/// Before what a seal is over. A link begins with the MAC of the one before, which is as long and is never this.
const LABEL: &[u8; 32] = b"signet audit log, a checkpoint..";

/// The last entry that was pruned. What follows it is verified from here.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub position: Position,
    /// Proves that the authority wrote it.
    pub seal: Vec<u8>,
}

impl Chain {
    /// Seals the place up to which the log is pruned.
    #[must_use]
    pub fn seal_checkpoint(&self, position: Position) -> Checkpoint {
        let seal = self.over_checkpoint(&position).to_vec();
        Checkpoint { position, seal }
    }

    /// # Errors
    /// [`Broken::CheckpointAltered`].
    pub fn check_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), Broken> {
        match self.over_checkpoint(&checkpoint.position).as_slice() == checkpoint.seal {
            true => Ok(()),
            false => Err(Broken::CheckpointAltered(checkpoint.position.seq)),
        }
    }

    fn over_checkpoint(&self, position: &Position) -> Mac {
        Fields::after(&self.key, LABEL).number(position.seq).bytes(Some(&position.mac)).mac()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::tests::chain;

    #[test]
    fn a_checkpoint_is_sealed() {
        let chain = chain();
        let position = Position { seq: 7, mac: vec![1; 32] };
        let checkpoint = chain.seal_checkpoint(position.clone());
        assert_eq!(chain.check_checkpoint(&checkpoint), Ok(()));
        for position in [Position { seq: 8, ..position.clone() }, Position { mac: vec![2; 32], ..position }] {
            let altered = Checkpoint { position, ..checkpoint.clone() };
            assert_eq!(
                chain.check_checkpoint(&altered),
                Err(Broken::CheckpointAltered(altered.position.seq))
            );
        }
        assert!(self::chain().check_checkpoint(&checkpoint).is_err(), "another master key");
    }
}
