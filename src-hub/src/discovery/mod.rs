//! Finding VMs in a folder of this computer.
//!
//! The rules: descriptions (libvirt XML, VirtualBox `.vbox`, VMware `.vmx`) say which images a VM
//! has; of the images that no description claims, those in a sub-folder are the disks of one VM
//! named after it, and each that lies loose in the chosen folder is a VM of its own. What is found
//! but cannot be backed up is listed with the reason and the remedy. The order never depends on the
//! filesystem's.
//!
//! Reading order: [`survey`] (what lies in the folder), [`libvirt`], [`virtualbox`] and [`vmware`]
//! (what descriptions say), [`assemble`](discover) here, [`image`] (what an image file says), [`active`]
//! (which file a disk is when a backup starts).

pub(crate) mod active;
mod image;
mod libvirt;
mod natural;
mod survey;
mod virtualbox;
mod vmware;
mod xml;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use sendense_disk::ImageFormat;

use self::{
    image::{ImageFile, Role},
    survey::{Folder, Survey},
};
use crate::error::{Error, Result};

/// A VM that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundVm {
    /// The id that its description gives it, else its place.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Its description, its folder, or its only image: what makes it the same VM next time.
    pub(crate) path: PathBuf,
    pub(crate) num_cpu: Option<u32>,
    pub(crate) memory_mb: Option<u64>,
    pub(crate) guest_os: Option<String>,
    pub(crate) power_state: Option<String>,
    /// In the order in which backups number them.
    pub(crate) disks: Vec<FoundDisk>,
    /// Why it cannot be backed up as it is, and what to do about it.
    pub(crate) problem: Option<String>,
}

/// One disk of a VM that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundDisk {
    pub(crate) label: String,
    pub(crate) path: PathBuf,
    /// Size of the virtual disk; `None` where the image cannot be read.
    pub(crate) capacity_bytes: Option<u64>,
    /// What its description says that it is; `None` where that has to be looked for.
    pub(crate) format: Option<ImageFormat>,
    /// Why this file is the disk, in words.
    pub(crate) chosen_because: &'static str,
    pub(crate) problem: Option<String>,
}

/// What a description says about a VM, whatever its format.
#[derive(Clone, Debug, Default, PartialEq)]
struct Description {
    id: Option<String>,
    name: Option<String>,
    num_cpu: Option<u32>,
    memory_mb: Option<u64>,
    guest_os: Option<String>,
    power_state: Option<String>,
    disks: Vec<DescribedDisk>,
}

/// Where a description says that a disk is.
#[derive(Clone, Debug, PartialEq)]
enum DescribedDisk {
    /// A file.
    File {
        /// Relative to the description or absolute.
        path: String,
        /// What the description calls its format.
        format: Option<String>,
    },
    /// Something that is no file, in words.
    Elsewhere(String),
}

impl FoundVm {
    pub(crate) fn path_text(&self) -> String {
        self.path.display().to_string()
    }
}

impl FoundDisk {
    pub(crate) fn path_text(&self) -> String {
        self.path.display().to_string()
    }
}

/// Finds the VMs in a folder; `own_folder` is the hub's and never searched. Blocks.
///
/// # Errors
/// When the folder is not there, is none, or cannot be listed. Trouble below it is told VM by VM.
pub(crate) fn discover(folder: &Path, own_folder: &Path) -> Result<Vec<FoundVm>> {
    if !folder.is_absolute() {
        return Err(Error::FolderNotAbsolute(folder.to_path_buf()));
    }
    let folder = survey::canonical_folder(folder)?;
    let survey = Survey::of(&folder, own_folder)?;
    Ok(Assembly::new(&folder, &survey).vms())
}

/// Puts VMs together from what lies in the folder.
struct Assembly<'a> {
    root: &'a Path,
    survey: &'a Survey,
    /// Images that are the disk of a VM already, or part of one.
    claimed: BTreeSet<PathBuf>,
    vms: Vec<FoundVm>,
}

impl<'a> Assembly<'a> {
    fn new(root: &'a Path, survey: &'a Survey) -> Self {
        Self {
            root,
            survey,
            claimed: BTreeSet::new(),
            vms: Vec::new(),
        }
    }

    fn vms(mut self) -> Vec<FoundVm> {
        // All descriptions first: one may claim images of another folder.
        for description in self
            .survey
            .folders
            .iter()
            .flat_map(|folder| &folder.descriptions)
        {
            self.add_described(description);
        }
        self.claim_what_others_build_on();
        for folder in &self.survey.folders {
            self.add_folder(folder);
        }
        for (path, problem) in &self.survey.unreadable {
            self.vms.push(FoundVm {
                problem: Some(problem.clone()),
                ..bare_vm(path)
            });
        }
        self.vms
            .sort_by(|a, b| natural::compare(&a.name, &b.name).then_with(|| a.path.cmp(&b.path)));
        self.name_apart();
        self.vms
    }

    fn add_described(&mut self, path: &Path) {
        let description = match read_description(path) {
            Ok(Some(description)) => description,
            // Some other XML file.
            Ok(None) => return,
            Err(problem) => {
                self.vms.push(FoundVm {
                    problem: Some(problem),
                    ..bare_vm(path)
                });
                return;
            }
        };
        let folder = path.parent().unwrap_or(self.root);
        let disks = (0_u32..)
            .zip(&description.disks)
            .map(|(index, disk)| match disk {
                DescribedDisk::File { path, format } => {
                    let image = ImageFile::open(&folder.join(path), self.root, format.as_deref());
                    self.claimed.extend(image.files.iter().cloned());
                    found_disk(index, image, active::DESCRIBED)
                }
                DescribedDisk::Elsewhere(what) => FoundDisk {
                    label: label(index),
                    path: PathBuf::from(what),
                    capacity_bytes: None,
                    format: None,
                    chosen_because: active::DESCRIBED,
                    problem: Some(format!(
                        "{what} is no image file; only disks that are files can be backed up"
                    )),
                },
            })
            .collect::<Vec<_>>();
        let bare = bare_vm(path);
        self.vms.push(FoundVm {
            id: description.id.unwrap_or(bare.id),
            name: description.name.unwrap_or(bare.name),
            path: bare.path,
            num_cpu: description.num_cpu,
            memory_mb: description.memory_mb,
            guest_os: description.guest_os,
            power_state: description.power_state,
            problem: problem_of(&disks),
            disks,
        });
    }

    /// An image that another one builds on is part of that one, not a disk of its own.
    fn claim_what_others_build_on(&mut self) {
        for image in self.survey.folders.iter().flat_map(|folder| &folder.images) {
            // What a description names, it states the format of: a guest's bytes claim nothing.
            let is_described = image
                .canonicalize()
                .is_ok_and(|path| self.claimed.contains(&path));
            if !is_described {
                let opened = ImageFile::open(image, self.root, None);
                self.claimed.extend(opened.files.into_iter().skip(1));
            }
            self.claimed.extend(image::snapshot_parent(image));
        }
    }

    fn add_folder(&mut self, folder: &Folder) {
        let free: Vec<ImageFile> = folder
            .images
            .iter()
            .map(|path| ImageFile::open(path, self.root, None))
            .filter(|image| !self.claimed.contains(image.identity()))
            .filter(|image| image::role(&image.path) == Role::Disk)
            .collect();
        // Beside a description, what it does not name belongs to nobody in particular.
        if folder.path == self.root || !folder.descriptions.is_empty() {
            for image in free {
                let bare = bare_vm(&image.path);
                let disks = vec![found_disk(0, image, FOUND)];
                self.vms.push(FoundVm {
                    problem: problem_of(&disks),
                    disks,
                    ..bare
                });
            }
        } else if !free.is_empty() {
            let disks: Vec<_> = (0_u32..)
                .zip(free)
                .map(|(index, image)| found_disk(index, image, FOUND))
                .collect();
            self.vms.push(FoundVm {
                name: text(folder.path.file_name()),
                problem: problem_of(&disks),
                disks,
                ..bare_vm(&folder.path)
            });
        }
    }

    /// Backups are started by name, so two VMs of one name get their places put behind it.
    fn name_apart(&mut self) {
        let mut taken = BTreeSet::new();
        for vm in &mut self.vms {
            if taken.insert(vm.name.clone()) {
                continue;
            }
            let place = vm.path.strip_prefix(self.root).unwrap_or(&vm.path);
            let base = format!("{} ({})", vm.name, place.display());
            let mut name = base.clone();
            let mut number = 2;
            while !taken.insert(name.clone()) {
                name = format!("{base} {number}");
                number += 1;
            }
            vm.name = name;
        }
    }
}

/// A VM of which nothing is known but where it lies.
fn bare_vm(path: &Path) -> FoundVm {
    FoundVm {
        id: format!("local:{}", path.display()),
        name: text(path.file_stem()),
        path: path.to_path_buf(),
        num_cpu: None,
        memory_mb: None,
        guest_os: None,
        power_state: None,
        disks: Vec::new(),
        problem: None,
    }
}

/// Why an image is a disk that no description names.
const FOUND: &str = "it lies in the folder, and nothing there builds on it";

fn found_disk(index: u32, image: ImageFile, chosen_because: &'static str) -> FoundDisk {
    FoundDisk {
        label: label(index),
        path: image.path,
        capacity_bytes: image.size_bytes,
        format: image.stated,
        chosen_because,
        problem: image.problem,
    }
}

/// What VMware, and so every client of a deployed hub, calls it.
fn label(index: u32) -> String {
    format!("Hard disk {}", index + 1)
}

/// A VM is backed up with all its disks, so one that cannot be read stands in the way of all.
fn problem_of(disks: &[FoundDisk]) -> Option<String> {
    if disks.is_empty() {
        return Some("its description names no disk; there is nothing to back up".to_owned());
    }
    let unreadable: Vec<&FoundDisk> = disks.iter().filter(|disk| disk.problem.is_some()).collect();
    let first = unreadable.first()?;
    let problem = first.problem.as_deref().unwrap_or_default();
    Some(match unreadable.len() {
        1 => format!("{}: {problem}", first.label),
        n => format!(
            "{n} of its {} disks cannot be backed up; {}: {problem}",
            disks.len(),
            first.label
        ),
    })
}

fn read_description(path: &Path) -> Result<Option<Description>, String> {
    let text = survey::read_text(path)?;
    match survey::extension(path).as_str() {
        "vmx" => Ok(Some(vmware::parse(&text))),
        "vbox" => virtualbox::parse(&text).map(Some),
        _ => libvirt::parse(&text),
    }
}

fn text(name: Option<&OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}
