//! The terminal of a newcomer: blocks are typed into it one after the other, and what they export stays.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use pulso_harness::postgres::program;
use pulso_harness::process::find;
use pulso_harness::script::installed;
use pulso_harness::{Scratch, Transcript, wait};
use tokio::time::Instant;

use super::blocks::block;

pub struct Shell {
    folder: Scratch,
    environment: BTreeMap<String, String>,
    /// What a reader has elsewhere than the book says, and where it is here.
    instead: Vec<(String, String)>,
    /// Others talk meanwhile: what a block does not show is no matter.
    pub has_company: bool,
}

impl Shell {
    /// In a folder with what a checkout has, `pulso` on the path, and nothing of the test's own environment.
    pub fn new() -> Self {
        let folder = Scratch::new();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for file in ["sql", ".env.example"] {
            symlink(repository.join(file), folder.path().join(file)).unwrap();
        }
        symlink(installed("node_modules"), folder.path().join("node_modules")).unwrap();
        let programs = folder.path().join("bin");
        std::fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_pulso"), programs.join("pulso")).unwrap();
        symlink(program("psql"), programs.join("psql")).unwrap();
        symlink(find("node", "nodejs"), programs.join("node")).unwrap();
        find("curl", "curl");
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
        let home = folder.path().display().to_string();
        let environment = [("PATH", path), ("HOME", home)].map(|(name, value)| (name.to_owned(), value)).into();
        // These are installed at a fixed version.
        let mut shell = Self { folder, environment, instead: Vec::new(), has_company: false };
        shell.replace("npm install socket.io-client", "ls -d node_modules/socket.io-client");
        shell
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From now on these are the packages of Node.js that are installed.
    pub fn install(&self, node_modules: &Path) {
        let there = self.path().join("node_modules");
        std::fs::remove_file(&there).unwrap();
        symlink(node_modules, there).unwrap();
    }

    pub fn export(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    pub fn variable(&self, name: &str) -> &str {
        &self.environment[name]
    }

    /// From now on `here` is typed where a block says `there`.
    pub fn replace(&mut self, there: &str, here: &str) {
        self.instead.push((there.to_owned(), here.to_owned()));
    }

    /// What a reader of the book types here.
    pub fn adapted(&self, text: &str) -> String {
        self.instead.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    /// Saves a block as the file that the book names.
    pub fn save(&self, name: &str, file: &str) {
        self.save_behind("", name, file);
    }

    /// As [`Self::save`], behind what a reader has around it.
    pub fn save_behind(&self, before: &str, name: &str, file: &str) {
        self.folder.write(file, &format!("{before}{}", self.adapted(&block(name).text)));
    }

    /// Runs a block to its end; each of its lines must succeed. Returns what it said.
    pub async fn sh(&mut self, name: &str) -> String {
        let block = block(name);
        assert_eq!(block.language, "sh", "{name}");
        self.run(&block.text).await
    }

    /// Runs a block until it says `words`, because `listener` may not be there yet.
    pub async fn sh_until(&mut self, name: &str, words: &str, listener: Option<&Transcript>) {
        let deadline = Instant::now() + wait::LIMIT;
        loop {
            let said = self.sh(name).await;
            if said.contains(words) {
                return;
            }
            let heard = listener.map(Transcript::text);
            assert!(Instant::now() < deadline, "{name} never said {words}: {said}{heard:?}");
        }
    }

    /// Runs a block whose last line goes on until somebody ends it.
    pub async fn start(&mut self, name: &str) -> Transcript {
        let block = block(name);
        assert_eq!(block.language, "sh", "{name}");
        self.start_typed(&block.text).await
    }

    /// As [`Self::start`], of any text.
    pub async fn start_typed(&mut self, text: &str) -> Transcript {
        let (before, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
        self.run(before).await;
        let mut command = self.bash();
        command.arg("-c").arg(format!("cd {}\nexec {}\n", self.path().display(), self.adapted(last)));
        Transcript::of(&command)
    }

    /// Types `text`; what it sets is set from now on.
    pub async fn run(&mut self, text: &str) -> String {
        self.folder.write("typed.sh", &self.adapted(text));
        let mut command = self.bash();
        // One line that fails fails the block, in a pipe too.
        command.args(["-c", r#"set -eao pipefail; cd "$1"; . ./typed.sh >said 2>&1; env -0 >exported"#, "bash"]);
        command.arg(self.path());
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = std::fs::read_to_string(self.path().join("said")).unwrap_or_default();
        let complaint = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{text}\n{said}{complaint}");
        let exported = std::fs::read_to_string(self.path().join("exported")).unwrap();
        let own = ["_", "PWD", "OLDPWD", "SHLVL"];
        let variables = exported.split_terminator('\0').filter_map(|entry| entry.split_once('='));
        for (name, value) in variables.filter(|(name, _)| !own.contains(name)) {
            self.export(name, value);
        }
        said
    }

    /// Statements for the owner of the tables.
    pub async fn sql(&mut self, name: &str) {
        let block = block(name);
        assert_eq!(block.language, "sql", "{name}");
        self.folder.write("typed.sql", &block.text);
        self.run(r#"psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -f typed.sql"#).await;
    }

    fn bash(&self) -> Command {
        let mut command = Command::new("env");
        command.arg("-i").args(self.environment.iter().map(|(name, value)| format!("{name}={value}"))).arg("bash");
        command
    }
}
