//! `[groups]`: cameras under one name, which prompts may write in their place.

use std::collections::BTreeMap;

use super::{
    super::problem::suggest,
    checker::Checker,
    limits::{Groups, Limits},
};
use crate::name::CameraName;

/// All groups that are written; `cameras`: the names of all cameras.
pub(super) fn read(
    checker: &mut Checker<'_>,
    given: BTreeMap<String, Option<Vec<String>>>,
    cameras: &[String],
) -> Groups {
    let mut groups = Groups::new();
    for (name, members) in given {
        let path = ["groups", name.as_str()];
        if let Err(error) = CameraName::new(&name) {
            checker.wrong_key(&path, error.to_string());
        } else if cameras.contains(&name) {
            checker.wrong_key_with(&path, "a camera has this name, too", "rename one of them");
        }
        let members = members.unwrap_or_default();
        if members.is_empty() {
            checker.wrong_with(&path, "names no camera", "delete it, or name one");
        }
        each_once(checker, &path, &members, |checker, member| {
            let unknown = !cameras.contains(member) && !checker.origins.may_be_broken(&["cameras", member]);
            let right = || suggest(member, cameras.iter().map(String::as_str)).unwrap_or_default();
            unknown.then(|| ("no camera has this name", right()))
        });
        let members = members.iter().filter(|member| cameras.contains(member));
        let mut members: Vec<_> = members.filter_map(|member| CameraName::new(member).ok()).collect();
        members.sort();
        members.dedup();
        groups.insert(name, members);
    }
    groups
}

/// The cameras that a prompt is asked about: those that it names, by themselves or as groups; without any, all.
pub(super) fn asked(
    checker: &mut Checker<'_>,
    path: &[&str],
    given: Option<&[String]>,
    limits: &Limits<'_>,
) -> Vec<CameraName> {
    let at = [path, &["cameras"]].concat();
    let name = |name: &String| CameraName::new(name).ok();
    let Some(given) = given else { return limits.cameras.iter().filter_map(name).collect() };
    if given.is_empty() {
        checker.wrong_with(&at, "names no camera", "delete it to ask about all, or write `enabled = false`");
    }
    each_once(checker, &at, given, |checker, one| unknown(checker, one, limits));
    let members = |one: &String| limits.groups.get(one).cloned().unwrap_or_else(|| name(one).into_iter().collect());
    let mut cameras: Vec<_> = given.iter().flat_map(members).collect();
    cameras.sort();
    cameras.dedup(); // a camera may be named beside its group
    cameras
}

/// What is wrong with a name that neither a camera nor a group has, and what may have been meant; nothing where it is one of
/// those, or may be where they could not be read.
pub(super) fn unknown(checker: &Checker<'_>, name: &str, limits: &Limits<'_>) -> Option<(&'static str, String)> {
    let names = || limits.cameras.iter().chain(limits.groups.keys()).map(String::as_str);
    let may_be = |table: &str| checker.origins.may_be_broken(&[table, name]);
    if names().any(|known| known == name) || may_be("cameras") || may_be("groups") {
        return None;
    }
    let wrong =
        if limits.groups.is_empty() { "no camera has this name" } else { "no camera and no group has this name" };
    Some((wrong, suggest(name, names()).unwrap_or_default()))
}

/// Reports what stands twice in a list of names, and what `unknown` finds wrong with one, with what would be right.
fn each_once(
    checker: &mut Checker<'_>,
    at: &[&str],
    given: &[String],
    unknown: impl Fn(&Checker<'_>, &String) -> Option<(&'static str, String)>,
) {
    for (number, name) in given.iter().enumerate() {
        let number_text = number.to_string();
        let item = [at, &[number_text.as_str()]].concat();
        if given[..number].contains(name) {
            checker.wrong(&item, "stands here twice");
        } else if let Some((wrong, right)) = unknown(checker, name) {
            checker.wrong_with(&item, wrong, right);
        }
    }
}
