use super::mac::{Fields, Mac};
use super::{Broken, Chain, Position};

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
        let is_mac = checkpoint.position.mac.len() == 32;
        match is_mac && self.over_checkpoint(&checkpoint.position).as_slice() == checkpoint.seal {
            true => Ok(()),
            false => Err(Broken::CheckpointAltered(checkpoint.position.seq)),
        }
    }

    fn over_checkpoint(&self, position: &Position) -> Mac {
        Fields::new(&self.keys.checkpoints).number(position.seq).bytes(Some(&position.mac)).mac()
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

    /// What the authority signs for the next entry is never a seal, whatever the row before holds.
    #[test]
    fn no_link_is_a_seal_and_a_seal_is_over_a_whole_mac() {
        let chain = chain();
        let position = Position { seq: 7, mac: vec![1; 32] };
        let seal = chain.seal_checkpoint(position.clone()).seal;
        let entry = crate::audit::chain::tests::requested();
        for before in [[0; 32], *b"signet audit log, a checkpoint.."] {
            assert_ne!(chain.link(Some(&before), &entry).as_slice(), seal);
        }
        let short = chain.seal_checkpoint(Position { mac: vec![1; 200], ..position });
        assert!(chain.check_checkpoint(&short).is_err());
    }
}
