//! What a power cut would leave of a state folder, for tests. Of a file the file system keeps what it held when it was
//! synced, of the folder which names there were when that was. Of what came later it may keep all or nothing, of
//! contents and of names apart.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::done::Done;
use super::testing::set_mode;

/// The files of a folder after a power cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left(BTreeMap<String, Vec<u8>>);

thread_local! {
    static WATCHED: RefCell<Option<Watched>> = const { RefCell::new(None) };
}

struct Watched {
    folder: PathBuf,
    files: Vec<Kept>,
    /// Which file has a name now, and had it when the folder was synced: places in `files`.
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    left: Vec<Left>,
}

#[derive(Default)]
struct Kept {
    inode: u64,
    content: Vec<u8>,
    synced: Vec<u8>,
}

/// From now on it is noted what a power cut would leave of `folder`, all of which is durable; by this thread alone.
pub(crate) fn watch(folder: &Path) {
    let mut watched = Watched {
        folder: folder.to_owned(),
        files: Vec::new(),
        names: BTreeMap::new(),
        synced_names: BTreeMap::new(),
        left: Vec::new(),
    };
    watched.look();
    for file in &mut watched.files {
        file.synced = file.content.clone();
    }
    watched.synced_names = watched.names.clone();
    watched.note();
    WATCHED.set(Some(watched));
}

/// Everything that a power cut could have left since [`watch`].
pub(crate) fn left() -> Vec<Left> {
    WATCHED.take().map(|watched| watched.left).unwrap_or_default()
}

/// Something was done.
pub(super) fn done(done: Done<'_>) {
    WATCHED.with_borrow_mut(|watched| {
        if let Some(watched) = watched {
            watched.done(done);
        }
    });
}

impl Watched {
    fn done(&mut self, done: Done<'_>) {
        self.look();
        // It may have gone just before.
        self.note();
        match done {
            Done::Named => {}
            Done::Synced(name) => self.sync(|found| found == name),
            Done::DatabaseSynced => self.sync(|found| found.starts_with(super::DATABASE)),
            Done::FolderSynced => self.synced_names = self.names.clone(),
        }
        self.note();
    }

    fn sync(&mut self, is_synced: impl Fn(&str) -> bool) {
        for (name, file) in &self.names {
            if is_synced(name) {
                let file = &mut self.files[*file];
                file.synced = file.content.clone();
            }
        }
    }

    /// What is there now. Sockets and what tests put there are none of the folder's files.
    fn look(&mut self) {
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(&self.folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let metadata = entry.metadata().unwrap();
            if !metadata.is_file() || name == "lock" || name.ends_with(".txt") {
                continue;
            }
            let is_this = |file: &usize| self.files[*file].inode == metadata.ino();
            let file = self.names.values().copied().find(is_this).unwrap_or_else(|| {
                self.files.push(Kept {
                    inode: metadata.ino(),
                    ..Kept::default()
                });
                self.files.len() - 1
            });
            self.files[file].content = fs::read(entry.path()).unwrap();
            names.insert(name, file);
        }
        self.names = names;
    }

    fn note(&mut self) {
        for names in [&self.synced_names, &self.names] {
            for content in [
                |file: &Kept| file.synced.clone(),
                |file: &Kept| file.content.clone(),
            ] {
                let files = names
                    .iter()
                    .map(|(name, file)| (name.clone(), content(&self.files[*file])));
                let left = Left(files.collect());
                if !self.left.contains(&left) {
                    self.left.push(left);
                }
            }
        }
    }
}

impl Left {
    /// Puts the files into an empty folder.
    pub(crate) fn put_into(&self, folder: &Path) {
        for (name, content) in &self.0 {
            let path = folder.join(name);
            fs::write(&path, content).unwrap();
            set_mode(&path, 0o600);
        }
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    pub(crate) fn file(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
}
