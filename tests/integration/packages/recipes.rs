//! The blocks of a package's README, as a reader copies them. All are run: a test takes each by its name.

use std::path::Path;

use crate::readme::blocks::{Block, blocks};

/// The blocks of `clients/<package>/README.md`, to be taken one by one.
pub struct Recipes {
    package: &'static str,
    left: Vec<Block>,
}

impl Recipes {
    pub fn of(package: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("clients/{package}/README.md"));
        let text: &'static str = std::fs::read_to_string(path).unwrap().leak();
        Self { package, left: blocks(text) }
    }

    pub fn take(&mut self, name: &str) -> String {
        let at = self.left.iter().position(|block| block.name == name);
        let at = at.unwrap_or_else(|| panic!("{} has no block {name}", self.package));
        self.left.remove(at).text
    }
}

impl Drop for Recipes {
    fn drop(&mut self) {
        let left: Vec<&str> = self.left.iter().map(|block| block.name).collect();
        assert!(std::thread::panicking() || left.is_empty(), "{}: no test runs {left:?}", self.package);
    }
}
