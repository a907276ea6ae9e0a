//! A changed file: checked, and where it is valid handed to the running Envoy.

use super::{Folder, Mocks};
use crate::cli::envoy::Envoy;
use crate::cli::print::{self, Ink, ink};
use crate::cli::render::{self, Options};
use crate::cli::{check, load};
use crate::config::Plan;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(500);

/// Watches a file's text.
pub(super) struct Watch {
    file: PathBuf,
    known: String,
    /// Seen once; taken when it is the same at the next look, so that half a file is not read.
    draft: Option<String>,
    looked: Instant,
}

impl Watch {
    pub fn new(file: &Path, known: String) -> Self {
        Self { file: file.to_path_buf(), known, draft: None, looked: Instant::now() }
    }

    /// The new text, once, when it has changed and settled. A file that is gone is no change: editors replace files.
    pub fn changed(&mut self) -> Option<String> {
        if self.looked.elapsed() < EVERY {
            return None;
        }
        self.looked = Instant::now();
        let now = std::fs::read_to_string(&self.file).ok()?;
        if now == self.known {
            self.draft = None;
            return None;
        }
        if self.draft.as_ref() != Some(&now) {
            self.draft = Some(now);
            return None;
        }
        self.draft = None;
        self.known.clone_from(&now);
        Some(now)
    }
}

/// What a reload needs to know.
pub(super) struct Reload<'a> {
    pub file: &'a Path,
    pub options: &'a Options,
    pub folder: &'a Folder,
}

impl Reload<'_> {
    /// Loads `text` into the running Envoy; the new plan where that worked. All else keeps the old one and says why.
    pub async fn apply(&self, text: &str, old: &Plan, envoy: &Envoy, mocks: &mut Mocks) -> Option<Plan> {
        let file = self.file.display();
        let Ok(mut plan) = load(self.file, text) else {
            print::complain(&format!(
                "{file} changed, but not to a valid configuration: the last good one keeps running."
            ));
            return None;
        };
        for (setting, new, old) in [("listen", &mut plan.listen, &old.listen), ("admin", &mut plan.admin, &old.admin)] {
            if new != old {
                print::complain(&format!(
                    "{file}: `{setting}` changed to {}:{}; it stays {}:{} until `conduit up` is started again.",
                    new.address, new.port, old.address, old.port
                ));
                new.clone_from(old);
            }
        }
        if plan.access_log != old.access_log {
            print::complain(&format!("{file}: `access_log` changed; records go to the old place until a restart."));
        }
        if let Err(failure) = mocks.ensure(&plan).await {
            print::complain(&format!("{file} changed, but {failure} The last good configuration keeps running."));
            return None;
        }
        let (lds, cds) = render::resources(&plan, text, self.options);
        let accepted = self.hand_over(envoy, "cds.json", "cluster_manager.cds", &cds).await
            && self.hand_over(envoy, "lds.json", "listener_manager.lds", &lds).await;
        if !accepted {
            let old_log = self.folder.path.join("envoy.log");
            print::complain(&format!(
                "{file} changed, but Envoy did not take it; {} says why. What runs may be in part the old one.",
                old_log.display()
            ));
            return None;
        }
        print::line(&format!("{}\n{}", ink(Ink::Bold, "reloaded"), check::summary(&file.to_string(), &plan)));
        Some(plan)
    }

    /// Writes a file that Envoy watches and waits for its verdict.
    async fn hand_over(&self, envoy: &Envoy, name: &str, scope: &str, content: &serde_json::Value) -> bool {
        let path = self.folder.path.join(name);
        let same = std::fs::read(&path).ok().and_then(|old| serde_json::from_slice::<serde_json::Value>(&old).ok());
        if same.as_ref() == Some(content) {
            return true;
        }
        let counts = async || {
            let rejected = envoy.stat(&format!("{scope}.update_rejected")).await;
            (envoy.stat(&format!("{scope}.update_success")).await, rejected)
        };
        let before = counts().await;
        if let Err(failure) = self.folder.write(name, content) {
            print::complain(&failure.to_string());
            return false;
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            let (success, rejected) = counts().await;
            if rejected > before.1 {
                return false;
            }
            if success > before.0 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_only_when_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conduit.yaml");
        std::fs::write(&path, "a").unwrap();
        let mut watch = Watch::new(&path, "a".into());
        let mut look = || {
            watch.looked = Instant::now().checked_sub(EVERY * 2).unwrap();
            watch.changed()
        };
        assert_eq!(look(), None);
        std::fs::write(&path, "b").unwrap();
        assert_eq!((look(), look(), look()), (None, Some("b".into()), None));
        std::fs::write(&path, "half").unwrap();
        assert_eq!(look(), None);
        std::fs::write(&path, "whole").unwrap();
        assert_eq!((look(), look()), (None, Some("whole".into())));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(look(), None);
        std::fs::write(&path, "whole").unwrap();
        assert_eq!((look(), look()), (None, None));
    }
}
