//! What is there: taken before a test and after it, two censuses have to be the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use switch_userspace::netns::{NETNS_DIR, Netns};

use super::netns;

/// Settings that the kernel changes by itself, or that cannot be read.
const RESTLESS_SETTINGS: [&str; 3] = ["nf_conntrack_count", "flush", "random"];

/// Everything of a namespace that a switch could leave behind, and of the folders that it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Interfaces with their settings.
    pub links: BTreeSet<String>,
    /// Addresses of interfaces.
    pub addresses: BTreeSet<String>,
    /// Routes of every table and both families.
    pub routes: BTreeSet<String>,
    /// Routing rules of both families.
    pub rules: BTreeSet<String>,
    /// Settings below `net.`.
    pub settings: BTreeMap<String, String>,
    /// Names of namespaces.
    pub namespaces: BTreeSet<String>,
    /// Files in the folders, pins among them.
    pub files: BTreeSet<String>,
}

impl Census {
    /// Takes the census of `host`, of the named namespaces that have the name of `instance` in theirs (none where it is empty),
    /// and of `folders`.
    ///
    /// # Panics
    /// When something cannot be read.
    #[must_use]
    pub fn take(host: &Netns, instance: &str, folders: &[&Path]) -> Self {
        let lines = |args: &[&str]| -> BTreeSet<String> {
            netns::run(host, "ip", args).lines().map(|line| line.trim_end().to_owned()).collect()
        };
        let both = |words: &[&str]| -> BTreeSet<String> {
            ["-4", "-6"].iter().flat_map(|family| lines(&[&[*family], words].concat())).collect()
        };
        let mut settings = BTreeMap::new();
        netns::inside(host, || read_settings(Path::new("/proc/sys/net"), &mut settings));
        let mut files = BTreeSet::new();
        for folder in folders {
            list_files(folder, &mut files);
        }
        Self {
            links: lines(&["-o", "link", "show"]).iter().map(|line| without_carrier(line)).collect(),
            addresses: lines(&["-o", "addr", "show"]),
            routes: both(&["route", "show", "table", "all"]),
            rules: both(&["rule", "show"]),
            settings,
            namespaces: named_namespaces().into_iter().filter(|name| is_of(name, instance)).collect(),
            files,
        }
    }

    /// Fails where `after` is not the same, and says what differs.
    ///
    /// # Panics
    /// Where something was left, lost or changed.
    pub fn assert_same(&self, after: &Self) {
        let mut differences = Vec::new();
        let sets = [
            ("interface", &self.links, &after.links),
            ("address", &self.addresses, &after.addresses),
            ("route", &self.routes, &after.routes),
            ("rule", &self.rules, &after.rules),
            ("namespace", &self.namespaces, &after.namespaces),
            ("file", &self.files, &after.files),
        ];
        for (what, before, after) in sets {
            differences.extend(after.difference(before).map(|left| format!("{what} left: {left}")));
            differences.extend(before.difference(after).map(|lost| format!("{what} lost: {lost}")));
        }
        for (name, value) in &after.settings {
            let before = self.settings.get(name);
            if before != Some(value) {
                differences.push(format!("setting {name}: {before:?}, afterwards {value:?}"));
            }
        }
        let lost = self.settings.keys().filter(|name| !after.settings.contains_key(*name));
        differences.extend(lost.map(|name| format!("setting {name} lost")));
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// Names below `/run/netns`.
#[must_use]
pub fn named_namespaces() -> BTreeSet<String> {
    let entries = fs::read_dir(NETNS_DIR).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// An interface without what the kernel says of its carrier, which follows later than everything else.
fn without_carrier(line: &str) -> String {
    let words = line.split(' ').scan(false, |is_state, word| {
        let kept = (!*is_state).then(|| word.replace("NO-CARRIER,", "").replace(",LOWER_UP", ""));
        *is_state = word == "state";
        Some(kept)
    });
    words.flatten().collect::<Vec<_>>().join(" ")
}

/// Whether a name has the instance's in it as a whole: `wye-INSTANCE` and `INSTANCE-web`.
fn is_of(name: &str, instance: &str) -> bool {
    !instance.is_empty() && (name.ends_with(instance) || name.contains(&format!("{instance}-")))
}

fn list_files(folder: &Path, files: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        files.insert(entry.path().display().to_string());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list_files(&entry.path(), files);
        }
    }
}

fn read_settings(folder: &Path, settings: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if RESTLESS_SETTINGS.iter().any(|restless| name.to_string_lossy().contains(restless)) {
            continue;
        }
        if path.is_dir() {
            read_settings(&path, settings);
        } else if let Ok(value) = read_setting(&path) {
            settings.insert(path.display().to_string(), value);
        }
    }
}

fn read_setting(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_of, without_carrier};

    #[test]
    fn carriers_come_and_go_without_being_told() {
        let with = "4: p0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noop state UP mode DEFAULT";
        let without = "4: p0: <NO-CARRIER,BROADCAST,UP> mtu 1500 qdisc noop state DOWN mode DEFAULT";
        assert_eq!(without_carrier(with), without_carrier(without));
        assert!(without_carrier(with).ends_with("noop state mode DEFAULT"));
    }

    #[test]
    fn namespaces_are_an_instance_s_by_its_whole_name() {
        for own in ["wye-lab-1", "lab-1-web"] {
            assert!(is_of(own, "lab-1"), "{own}");
        }
        for strange in ["lab-2-web", "lab-11-web", "web"] {
            assert!(!is_of(strange, "lab-1"), "{strange}");
        }
        assert!(!is_of("lab-1-web", ""), "nobody's instance has none");
    }
}
