//! `[cameras]` and `[defaults.camera]`.

use std::{collections::BTreeMap, time::Duration};

use url::Url;

use super::{
    super::{
        CameraConfig, LoginConfig, Secret,
        allowed::{BUILT_IN_PIPELINES, CAMERA_SCHEMES, usual_pipeline},
        file,
        problem::{LEAST_SECRET, suggest},
    },
    checker::Checker,
};
use crate::name::CameraName;

const FRAMES_PER_SECOND: f64 = 2.0;
const LATENCY: Duration = Duration::from_millis(200);
/// Cameras that save bits send nothing new of a quiet scene until the next key frame, which they may put off for half a
/// minute and more: until then their pictures are the same to the last bit.
const FROZEN_AFTER: Duration = Duration::from_secs(60);
/// Silence is told within 5 s, looking once a second.
const SILENCE: Duration = Duration::from_secs(4);

/// What mends a URL whose user, password or path holds signs that mean something else there.
const ESCAPES: &str = "in a user, password or path write `%23` for `#`, `%2F` for `/`, `%3F` for `?`, `%40` for `@`, \
    or take it from a secret: `${NAME}` does so by itself";

/// What a camera may leave out.
#[derive(Debug, Clone)]
struct Settings {
    pipeline: Option<String>,
    frames_per_second: f64,
    latency: Duration,
    silence: Option<Duration>,
    frozen_after: Option<Duration>,
    key_frames_only: bool,
    enabled: bool,
}

/// All cameras that could be read.
pub(super) fn cameras(
    checker: &mut Checker<'_>,
    defaults: &file::CameraDefaults,
    cameras: BTreeMap<String, file::Camera>,
    known_pipelines: &[String],
) -> Vec<CameraConfig> {
    let built_in = Settings {
        pipeline: None,
        frames_per_second: FRAMES_PER_SECOND,
        latency: LATENCY,
        silence: None,
        frozen_after: Some(FROZEN_AFTER),
        key_frames_only: false,
        enabled: true,
    };
    let base = settings(checker, &["defaults", "camera"], defaults, &built_in, known_pipelines);
    let read = cameras.into_iter().filter_map(|(name, camera)| {
        let path = ["cameras", name.as_str()];
        let own = file::CameraDefaults {
            pipeline: camera.pipeline,
            frames_per_second: camera.frames_per_second,
            latency: camera.latency,
            silence: camera.silence,
            frozen_after: camera.frozen_after,
            key_frames_only: camera.key_frames_only,
            enabled: camera.enabled,
        };
        let settings = settings(checker, &path, &own, &base, known_pipelines);
        let checked = CameraName::new(&name).map_err(|error| checker.wrong_key(&path, error.to_string())).ok();
        let address = address(checker, &path, camera.url.as_deref());
        let pipeline =
            address.as_ref().and_then(|(url, _)| pipeline(checker, &path, url, settings.pipeline.as_deref()));
        let (url, login) = address?;
        let hidden = filled_path(&url, checker.origins.filled(&[path.as_slice(), &["url"]].concat()));
        Some(CameraConfig {
            name: checked?,
            url,
            login,
            hidden,
            pipeline: pipeline?,
            frames_per_second: settings.frames_per_second,
            latency: settings.latency,
            silence: settings.silence.unwrap_or(SILENCE),
            frozen_after: settings.frozen_after,
            key_frames_only: settings.key_frames_only,
            enabled: settings.enabled,
        })
    });
    read.collect()
}

fn settings(
    checker: &mut Checker<'_>,
    path: &[&str],
    given: &file::CameraDefaults,
    base: &Settings,
    known_pipelines: &[String],
) -> Settings {
    let at = |key: &'static str| [path, &[key]].concat();
    if let Some(pipeline) = &given.pipeline
        && !known_pipelines.contains(pipeline)
    {
        let right = suggest(pipeline, known_pipelines.iter().map(String::as_str)).unwrap_or_default();
        checker.wrong_with(&at("pipeline"), "no pipeline has this name", right);
    }
    let rate = checker.within(&at("frames_per_second"), given.frames_per_second, base.frames_per_second, 0.01..=30.0);
    let milliseconds = Duration::from_millis;
    let silence = given.silence.map(|silence| {
        checker.time_within(&at("silence"), Some(silence), SILENCE, milliseconds(500)..=milliseconds(3_600_000))
    });
    Settings {
        pipeline: given.pipeline.clone().or_else(|| base.pipeline.clone()),
        frames_per_second: rate,
        latency: checker.time_within(
            &at("latency"),
            given.latency,
            base.latency,
            Duration::ZERO..=milliseconds(10_000),
        ),
        silence: silence.or(base.silence),
        frozen_after: checker.limit_within(
            &at("frozen_after"),
            given.frozen_after,
            base.frozen_after,
            milliseconds(1000)..=milliseconds(86_400_000),
        ),
        key_frames_only: given.key_frames_only.unwrap_or(base.key_frames_only),
        enabled: given.enabled.unwrap_or(base.enabled),
    }
}

/// Where a camera is, and who may look.
fn address(checker: &mut Checker<'_>, path: &[&str], given: Option<&str>) -> Option<(Url, Option<LoginConfig>)> {
    let at = [path, &["url"]].concat();
    let Some(given) = given else {
        checker.missing(&at, "such as `url = \"rtsp://10.0.0.5/stream\"`");
        return None;
    };
    let mut url = match Url::parse(given) {
        Ok(url) => url,
        Err(_) if given.contains('@') => {
            checker.wrong_with(&at, "is not a URL", ESCAPES);
            return None;
        }
        Err(_) => {
            checker.wrong_with(
                &at,
                "is not a URL",
                "write one such as `rtsp://10.0.0.5/stream` or `file:///srv/yard.mp4`",
            );
            return None;
        }
    };
    if !CAMERA_SCHEMES.contains(&url.scheme()) {
        let right = "use `rtsp`, `rtsps`, `http`, `https` or `file`; a relay such as go2rtc makes `rtsp` of others";
        checker.wrong_with(&at, format!("`{}` is no scheme of cameras", url.scheme()), right);
        return None;
    }
    if matches!(url.scheme(), "rtsp" | "rtsps" | "http" | "https") && url.host_str().is_none_or(str::is_empty) {
        checker.wrong_with(&at, "names no host", "write one such as `rtsp://10.0.0.5/stream`");
        return None;
    }
    if url.scheme() == "file" && url.to_file_path().is_err() {
        checker.wrong_with(&at, "names no file of this machine", "write one such as `file:///srv/yard.mp4`");
        return None;
    }
    if has_strayed_user(&url) {
        checker.wrong_with(&at, "holds an `@` behind what is read as its host", ESCAPES);
        return None;
    }
    let user = decode(url.username());
    let password = decode(url.password().unwrap_or_default());
    let (Some(user), Some(password)) = (user, password) else {
        checker.wrong(&at, "holds a user or password that is not UTF-8 once `%…` is decoded");
        return None;
    };
    let login =
        (!user.is_empty() || !password.is_empty()).then(|| LoginConfig { user, password: Secret::new(password) });
    if login.is_some() && (url.set_username("").is_err() || url.set_password(None).is_err()) {
        checker.wrong(&at, "cannot hold a user and password");
        return None;
    }
    Some((url, login))
}

/// What stands in a URL's path out of these values, each of which is somewhere in the URL, or is all of it.
fn filled_path(url: &Url, values: &[Secret]) -> Vec<Secret> {
    let mut parts = Vec::new();
    for value in values.iter().map(Secret::reveal) {
        // the value may have begun before the host
        let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
        let behind_host = rest.split_once('/').map(|(_, path)| path);
        for part in [Some(value), behind_host].into_iter().flatten() {
            let part = part.split(['?', '#']).next().unwrap_or_default();
            let mut alone = url.clone();
            alone.set_path(part);
            let escaped = alone.path().trim_start_matches('/');
            let stands = |part: &&str| part.chars().count() >= LEAST_SECRET && url.path().contains(*part);
            parts.extend([part, escaped].into_iter().find(stands).map(Secret::new));
        }
    }
    // or one that is the beginning of another would leave its end to be seen
    parts.sort_by_key(|part| std::cmp::Reverse(part.reveal().len()));
    parts
}

/// Whether a `#`, `/`, `?` or `@` in a password has ended the host early: `rtsp://admin:1234#5@10.0.0.5/s` is a URL, of the
/// host `admin` and the port 1234, as `rtsp://admin:p@ss/5@10.0.0.5/s` is of the host `ss`, and the rest of the password
/// would be shown as a part of the path.
fn has_strayed_user(url: &Url) -> bool {
    let rest = [url.path(), url.query().unwrap_or_default()].join("?");
    // one in `user=admin&password=p@ss` is meant; in a fragment, which no camera is ever sent, none is
    let strayed = rest.split_once('@').is_some_and(|(before, _)| !before.contains(['=', '&']));
    url.host_str().is_some_and(|host| !host.is_empty())
        && (strayed || url.fragment().is_some_and(|part| part.contains('@')))
}

/// The pipeline that is named, or else the usual one for the URL's scheme.
fn pipeline(checker: &mut Checker<'_>, path: &[&str], url: &Url, named: Option<&str>) -> Option<String> {
    let at = [path, &["url"]].concat();
    let Some(named) = named else {
        let usual = usual_pipeline(url.scheme()).map(str::to_owned);
        if usual.is_none() {
            let right =
                "`rtsp`, `rtsps`, `file` and `test` have one; for `http` and `https` name a `pipeline` of your own";
            checker.wrong_with(&at, "no built-in pipeline opens this kind of URL", right);
        }
        return usual;
    };
    let built_in = BUILT_IN_PIPELINES.iter().find(|(name, _)| *name == named);
    // a user's own pipeline knows what it can open
    if let Some((_, opens)) = built_in.filter(|(_, opens)| !opens.contains(&url.scheme())) {
        let right = format!("it opens URLs that begin with `{}:`", opens[0]);
        checker.wrong_with(&at, format!("pipeline `{named}` cannot open this URL"), right);
        return None;
    }
    Some(named.to_owned())
}

/// Undoes percent-encoding; `None` when the bytes are not UTF-8.
fn decode(text: &str) -> Option<String> {
    Some(percent_encoding::percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        for (text, decoded) in
            [("a%40b", Some("a@b")), ("100%", Some("100%")), ("%2", Some("%2")), ("%+5", Some("%+5")), ("%FF", None)]
        {
            assert_eq!(decode(text).as_deref(), decoded, "{text}");
        }
    }
}
