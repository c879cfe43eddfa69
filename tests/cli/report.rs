//! `tripword label --report`

use std::path::PathBuf;

use super::*;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.wav");

/// The part of a page that is JSON.
fn header(page: &Path) -> serde_json::Value {
    let html = std::fs::read_to_string(page).unwrap();
    let text = html.split("id=\"header\">").nth(1).unwrap().split("</script>").next().unwrap();
    serde_json::from_str(text).unwrap()
}

/// Two recordings, one of them in a folder and with two channels.
fn archive(folder: &Path) -> PathBuf {
    let archive = folder.join("archive");
    std::fs::create_dir_all(archive.join("calls")).unwrap();
    std::fs::copy(DEMO, archive.join("talk <1>.wav")).unwrap();
    let mut reader = hound::WavReader::open(DEMO).unwrap();
    let spec = hound::WavSpec { channels: 2, ..reader.spec() };
    let mut writer = hound::WavWriter::create(archive.join("calls/call.wav"), spec).unwrap();
    for sample in reader.samples::<i16>().map(Result::unwrap).take(8 * 16_000) {
        writer.write_sample(0i16).unwrap();
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    archive
}

#[test]
fn a_page_holds_all_it_needs_and_leads_to_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("seen");
    let ran = run(tripword().args(["label", "--json", "--report", "--out"]).arg(&out).arg(DEMO));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = out.join("demo.report.html");
    let html = std::fs::read_to_string(&page).unwrap();
    for outside in ["src=\"http", "href=\"http", "@import", "url(http"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let header = header(&page);
    let found = json_lines(&ran.stdout);
    assert_eq!(header["clips"].as_array().unwrap().len(), found.len());
    for (clip, event) in header["clips"].as_array().unwrap().iter().zip(&found) {
        assert!(
            clip[0].as_f64() <= event["start_s"].as_f64() && clip[1].as_f64() >= event["time_s"].as_f64(),
            "{event}"
        );
    }
    let link = header["link"].as_str().unwrap();
    assert!(
        std::fs::canonicalize(out.join(link)).is_ok_and(|file| file == std::fs::canonicalize(DEMO).unwrap()),
        "{link}"
    );
    // One file has no page of all files.
    assert!(!out.join("index.html").exists());
}

#[test]
fn an_archive_has_a_page_that_leads_to_those_of_all_tracks() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (archive(folder.path()), folder.path().join("seen"));
    let ran =
        run(tripword().args(["label", "--json", "--report", "--channels", "each", "--out"]).arg(&out).arg(&archive));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let html = std::fs::read_to_string(out.join("index.html")).unwrap();
    for (link, page) in [
        ("./calls/call.ch1.report.html", "calls/call.ch1.report.html"),
        ("./calls/call.ch2.report.html", "calls/call.ch2.report.html"),
        ("./talk%20%3C1%3E.ch1.report.html", "talk <1>.ch1.report.html"),
    ] {
        assert!(html.contains(&format!("href=\"{link}\"")), "{html}");
        assert!(out.join(page).is_file(), "{page}");
    }
    assert!(html.contains("3 recordings and channels") && html.contains("7 detections"), "{html}");
    assert_eq!(header(&out.join("calls/call.ch2.report.html"))["channel"], 2);
    // A second run may write over its own page.
    let again =
        run(tripword().args(["label", "--json", "--report", "--channels", "each", "--out"]).arg(&out).arg(&archive));
    assert_eq!(again.code, 0, "{}", again.stderr);
}

#[test]
fn a_page_that_is_somebody_elses_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path());
    let index = folder.path().join("mine.html");
    std::fs::write(&index, "<p>mine</p>").unwrap();
    let ran = run(tripword().args(["label", "--report", "--report-index"]).arg(&index).arg(&archive));
    assert!(ran.code == 1 && ran.stderr.contains("something else is there"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&index).unwrap(), "<p>mine</p>");
    // Nor has anything been heard by then.
    assert!(!archive.join("talk <1>.report.html").exists());
}

#[test]
fn two_recordings_with_one_page_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.wav", "a.flac"] {
        std::fs::copy(DEMO, folder.path().join(name)).unwrap();
    }
    let ran = run(tripword().args(["label", "--report", "--format", "none"]).arg(folder.path()));
    assert!(
        ran.code == 1 && ran.stderr.contains("would both write") && ran.stderr.contains("a.report.html"),
        "{}",
        ran.stderr
    );
}
