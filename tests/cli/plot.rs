//! `tripword plot`

use super::*;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.wav");

/// Width and height of a PNG file (its first chunk).
fn png_size(path: &Path) -> [u32; 2] {
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{}", path.display());
    [16, 20].map(|at| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()))
}

#[test]
fn a_picture_has_the_size_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo.PNG");
    let ran = run(tripword().args(["plot", DEMO, "--width", "900", "--out"]).arg(&out));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let [width, height] = png_size(&out);
    assert_eq!(width, 900);
    assert!(ran.stderr.contains(&format!("900 x {height} pixels, 6 of 6 detections")), "{}", ran.stderr);
    // Without --out it lies beside the recording.
    let talk = folder.path().join("talk.wav");
    std::fs::copy(DEMO, &talk).unwrap();
    let ran = run(tripword().arg("plot").arg(&talk));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(png_size(&folder.path().join("talk.png"))[0], 1400);
}

#[test]
fn vectors_are_xml_that_names_what_is_found_in_the_stretch() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("part.svg");
    let ran = run(tripword().args(["plot", DEMO, "--from", "3", "--to", "12.5", "--dark", "--out"]).arg(&out));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = std::fs::read_to_string(out).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let texts: Vec<&str> =
        document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    let has = |wanted: &str| texts.iter().any(|text| text.starts_with(wanted));
    assert!(has("computer 0.99") && has("smart_mirror 0.99") && !has("jarvis 0."), "{texts:?}");
    assert!(has("0:04") && has("0:12") && !has("0:13"), "{texts:?}");
    let tags = |name: &str| {
        document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name))).count()
    };
    assert_eq!(tags("image"), 1, "the spectrogram");
}

#[test]
fn what_cannot_be_drawn_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name);
    for (arguments, name, expected) in [
        (
            &["--from", "5", "--to", "3"][..],
            "a.png",
            "expected times in seconds from 0 on, the first before the second",
        ),
        (&["--from", "900"], "a.png", "ends at 35.34"),
        (&[], "a.jpg", "pictures are .png or .svg; name one with --out"),
        (
            &["--channel", "each"],
            "a.png",
            "'each' is no choice of a channel; expected 'mix' or a channel's number from 1",
        ),
        (&["--channel", "2"], "a.png", "channel"),
    ] {
        let ran = run(tripword().args(["plot", DEMO]).args(arguments).arg("--out").arg(out(name)));
        assert!(ran.code == 1 && ran.stderr.contains(expected), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}
