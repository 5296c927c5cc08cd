//! Finding VMs in a folder on this computer.
//!
//! The rules: descriptions (libvirt XML, VirtualBox `.vbox`, VMware `.vmx`) say which images a VM has. Of the images
//! that no description claims, those in a sub-folder are the disks of one VM named after it, and each one directly in
//! the chosen folder is a VM of its own. What is found but cannot be backed up is listed with the reason and the
//! remedy. The order never depends on the filesystem's.
//!
//! Reading order: [`survey`] (what is in the folder), [`libvirt`], [`virtualbox`] and [`vmware`] (what descriptions
//! say), [`assemble`](discover) here, [`image`] (what an image file says), [`active`] (which file a disk is when a
//! backup starts).

pub(crate) mod active;
mod extension;
mod image;
mod libvirt;
mod natural;
mod other;
pub(crate) mod places;
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
    other::Other,
    survey::{Folder, Survey},
};
use crate::{
    error::{Error, Result},
    store::vms::LeftOut,
    unclear::BadDescription,
};

/// A VM that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundVm {
    /// The id that its description gives it, else its place.
    pub id: String,
    /// What it is called; two of one folder never have the same name.
    pub name: String,
    /// Its description, its folder, or its only image: what makes it the same VM next time.
    pub path: PathBuf,
    /// Virtual processors.
    pub num_cpu: Option<u32>,
    /// Memory, in MiB.
    pub memory_mb: Option<u64>,
    /// What it runs, in the words of its description.
    pub guest_os: Option<String>,
    /// Whether it runs, in the words of its description.
    pub power_state: Option<String>,
    /// In the order in which backups number them.
    pub disks: Vec<FoundDisk>,
    /// Why it cannot be backed up as it is, and what to do about it.
    pub problem: Option<String>,
    /// What lies in its places and is not backed up.
    pub left_out: Vec<LeftOut>,
}

/// One disk of a VM that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundDisk {
    /// What it is called.
    pub label: String,
    /// The image.
    pub path: PathBuf,
    /// Size of the virtual disk; `None` where the image cannot be read.
    pub capacity_bytes: Option<u64>,
    /// What its description says that it is; `None` where that has to be looked for.
    pub format: Option<ImageFormat>,
    /// Why this file is the disk, in words.
    pub chosen_because: &'static str,
    /// Why it cannot be backed up, and what to do about it.
    pub problem: Option<String>,
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
    /// A disk that cannot be read stands in no other's way: it is left out, with the reason. A VM without any
    /// other has a problem.
    fn with_disks(mut self, disks: Vec<FoundDisk>) -> Self {
        if disks.iter().all(|disk| disk.problem.is_some()) {
            self.problem = problem_of(&disks);
            self.disks = disks;
            return self;
        }
        for disk in disks {
            match &disk.problem {
                None => self.disks.push(disk),
                Some(problem) => self.left_out.push(LeftOut {
                    path: disk.path_text(),
                    reason: format!("{} cannot be backed up: {problem}", disk.label),
                }),
            }
        }
        self
    }

    /// The path as text.
    pub fn path_text(&self) -> String {
        self.path.display().to_string()
    }
}

impl FoundDisk {
    /// The path as text.
    pub fn path_text(&self) -> String {
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
    let mut roots = vec![folder.clone()];
    let mut beside = Vec::new();
    for place in places::beside(&folder) {
        // What cannot be listed there says nothing about the folder that was chosen.
        let found = Survey::of(&place, own_folder).unwrap_or_default();
        let descriptions = found.folders.into_iter().flat_map(|it| it.descriptions);
        beside.extend(descriptions);
        roots.push(place);
    }
    Ok(Assembly::new(&folder, roots, &survey).vms(&beside))
}

/// Puts VMs together from what lies in the folder.
struct Assembly<'a> {
    root: &'a Path,
    /// With the places that belong to it.
    roots: Vec<PathBuf>,
    survey: &'a Survey,
    /// Images that are the disk of a VM already, or part of one.
    claimed: BTreeSet<PathBuf>,
    /// Folders with a description of a VM; other XML files are none.
    described: BTreeSet<PathBuf>,
    vms: Vec<FoundVm>,
}

impl<'a> Assembly<'a> {
    fn new(root: &'a Path, roots: Vec<PathBuf>, survey: &'a Survey) -> Self {
        Self {
            root,
            roots,
            survey,
            claimed: BTreeSet::new(),
            described: BTreeSet::new(),
            vms: Vec::new(),
        }
    }

    /// `beside` are descriptions in places that belong to the folder: they count where their disks lie in it.
    fn vms(mut self, beside: &[PathBuf]) -> Vec<FoundVm> {
        // All descriptions first: one may claim images of another folder.
        for description in self
            .survey
            .folders
            .iter()
            .flat_map(|folder| &folder.descriptions)
        {
            self.add_described(description);
        }
        for description in beside {
            let n_known = self.vms.len();
            self.add_described(description);
            let is_here = |vm: &FoundVm| {
                let mut disks = vm.disks.iter();
                disks.any(|disk| disk.path.starts_with(self.root))
            };
            if self.vms.last().is_some_and(|vm| !is_here(vm)) {
                self.vms.truncate(n_known);
            }
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
                self.described.extend(path.parent().map(Path::to_owned));
                self.vms.push(FoundVm {
                    problem: Some(problem.to_string()),
                    ..bare_vm(path)
                });
                return;
            }
        };
        let folder = path.parent().unwrap_or(self.root);
        self.described.insert(folder.to_owned());
        let disks: Vec<_> = (0_u32..)
            .zip(&description.disks)
            .map(|(index, disk)| match disk {
                DescribedDisk::File { path, format } => {
                    let image = ImageFile::open(&folder.join(path), &self.roots, format.as_deref());
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
            .collect();
        let bare = bare_vm(path);
        self.vms.push(
            FoundVm {
                id: description.id.unwrap_or_else(|| bare.id.clone()),
                name: description.name.unwrap_or_else(|| bare.name.clone()),
                num_cpu: description.num_cpu,
                memory_mb: description.memory_mb,
                guest_os: description.guest_os,
                power_state: description.power_state,
                ..bare
            }
            .with_disks(disks),
        );
    }

    /// An image that another one builds on is part of that one, not a disk of its own.
    fn claim_what_others_build_on(&mut self) {
        for image in self.survey.folders.iter().flat_map(|folder| &folder.images) {
            // What a description names, it states the format of: a guest's bytes claim nothing.
            if !self.is_claimed(image) {
                let opened = ImageFile::open(image, &self.roots, None);
                self.claimed.extend(opened.files.into_iter().skip(1));
            }
            self.claimed.extend(image::snapshot_parent(image));
        }
    }

    fn add_folder(&mut self, folder: &Folder) {
        let mut alias = None;
        let mut left_out = Vec::new();
        let mut free: Vec<ImageFile> = Vec::new();
        for path in &folder.images {
            let ovirt = other::ovirt(path);
            let format = ovirt.as_ref().and_then(|disk| disk.format);
            match image::role(path) {
                Role::Disk => free.extend(self.open_free(path, format)),
                Role::Nvram => {}
                // The rest of a VMDK whose descriptor is not there.
                Role::Part if image::is_flat_part(path) => {
                    free.extend(self.open_free(path, Some("raw")));
                }
                Role::Part if self.is_claimed(path) => {}
                Role::Part => left_out.push(LeftOut {
                    path: path.display().to_string(),
                    reason:
                        "it is a part of a VMDK whose descriptor is not here, or does not name it"
                            .to_owned(),
                }),
            }
            alias = alias.or(ovirt.and_then(|disk| disk.alias));
        }
        for path in &folder.others {
            if self.is_claimed(path) {
                continue;
            }
            let ovirt = other::ovirt(path);
            match ovirt.as_ref().and_then(|disk| disk.format) {
                Some(format) => free.extend(self.open_free(path, Some(format))),
                None => match other::look(path) {
                    Other::Disk => free.extend(self.open_free(path, Some("raw"))),
                    Other::LeftOut(why) => left_out.push(LeftOut {
                        path: path.display().to_string(),
                        reason: why.to_owned(),
                    }),
                },
            }
            alias = alias.or(ovirt.and_then(|disk| disk.alias));
        }
        // Beside a description, what it does not name belongs to nobody in particular.
        if folder.path == self.root || self.described.contains(&folder.path) {
            for image in free {
                let bare = bare_vm(&image.path);
                self.vms
                    .push(bare.with_disks(vec![found_disk(0, image, FOUND)]));
            }
            let mut here = self.vms.iter_mut();
            let only = |vm: &&mut FoundVm| vm.path.parent() == Some(folder.path.as_path());
            // In the folder that was chosen anything may lie.
            if folder.path != self.root
                && let Some(vm) = here.find(only)
            {
                vm.left_out.append(&mut left_out);
            }
        } else if !free.is_empty() {
            let disks: Vec<_> = (0_u32..)
                .zip(free)
                .map(|(index, image)| found_disk(index, image, FOUND))
                .collect();
            let mut vm = FoundVm {
                name: alias.unwrap_or_else(|| name_of_folder(&folder.path)),
                ..bare_vm(&folder.path)
            }
            .with_disks(disks);
            vm.left_out.append(&mut left_out);
            self.vms.push(vm);
        }
    }

    /// Whether a file is the disk of a VM already, or part of one.
    fn is_claimed(&self, path: &Path) -> bool {
        path.canonicalize()
            .is_ok_and(|path| self.claimed.contains(&path))
    }

    /// An image that belongs to no VM yet.
    fn open_free(&self, path: &Path, format: Option<&str>) -> Option<ImageFile> {
        let image = ImageFile::open(path, &self.roots, format);
        (!self.claimed.contains(image.identity())).then_some(image)
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
        left_out: Vec::new(),
    }
}

/// What a VM is called whose disks lie in a folder without a description. UTM keeps them below a folder
/// that has the name.
fn name_of_folder(folder: &Path) -> String {
    let above = folder.parent().unwrap_or(folder);
    let is_inner = folder
        .file_name()
        .is_some_and(|name| name == "Data" || name == "Images");
    if is_inner && extension::extension(above) == "utm" {
        return text(above.file_stem());
    }
    text(folder.file_name())
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

/// Why a VM none of whose disks can be read cannot be backed up.
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

fn read_description(path: &Path) -> Result<Option<Description>, BadDescription> {
    let text = survey::read_text(path)?;
    match extension::extension(path).as_str() {
        "vmx" => Ok(Some(vmware::parse(&text))),
        "vbox" => virtualbox::parse(&text).map(Some),
        _ => Ok(libvirt::parse(&text)?),
    }
}

fn text(name: Option<&OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}
