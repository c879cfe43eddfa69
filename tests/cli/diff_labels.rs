//! `tripword diff-labels`

use super::*;

#[test]
fn hits_misses_and_false_accepts_are_counted_over_formats() {
    let folder = tempfile::tempdir().unwrap();
    let (truth, found) = (folder.path().join("truth"), folder.path().join("found"));
    for dir in [&truth, &found] {
        std::fs::create_dir(dir).unwrap();
    }
    std::fs::write(truth.join("one.txt"), "1.0\t1.5\talexa\n5.0\t5.5\talexa\n").unwrap();
    std::fs::write(truth.join("two.labels.txt"), "2.0\t2.5\tview glass\n").unwrap();
    let all = "{\"file\":\"x/one.wav\",\"word\":\"Alexa\",\"start_s\":1.1,\"end_s\":1.6,\"score\":0.9}\n\
               {\"file\":\"x/two.wav\",\"word\":\"view_glass\",\"start_s\":2.0,\"end_s\":2.5,\"score\":0.9}\n\
               {\"file\":\"x/two.wav\",\"word\":\"alexa\",\"start_s\":8.0,\"end_s\":8.5,\"score\":0.9}\n";
    std::fs::write(found.join("all.jsonl"), all).unwrap();
    let ran = run(tripword().args(["diff-labels", "--json"]).args([&truth, &found]));
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let report = &json_lines(&ran.stdout)[0];
    let counts = ["n_hits", "n_misses", "n_false_accepts"].map(|key| report["total"][key].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1]);
    let alexa = &report["words"][0];
    assert_eq!((alexa["precision"].as_f64(), alexa["recall"].as_f64()), (Some(0.5), Some(0.5)));
    let ran = run(tripword().args(["diff-labels", "--events"]).args([&truth, &found]));
    for line in ["miss          one  5.000-5.500 s  alexa", "false accept  two  8.000-8.500 s  alexa", "ends +100 ms"] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
    // Files of one recording each are compared whatever they are called; the same set has no difference.
    let copy = folder.path().join("copy.csv");
    std::fs::write(&copy, "label,start,end\nalexa,1,1.5\nalexa,5,5.5\n").unwrap();
    let ran = run(tripword().arg("diff-labels").args([&truth.join("one.txt"), &copy]));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn what_cannot_be_compared_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = file("good.txt", "1\t2\tx\n");
    for (bad, words) in [
        (file("bad.txt", "1\t2\tx\nfive\tsix\tx\n"), ["line 2", "'five'", "seconds"]),
        (file("bad.wav", "RIFF"), ["bad.wav", ".TextGrid", ".rttm"]),
        (file("bad.TextGrid", "hello"), ["bad.TextGrid", "line 1", "TextGrid"]),
        (folder.path().join("none.rttm"), ["none.rttm", "cannot be read", "No such file"]),
    ] {
        let ran = run(tripword().arg("diff-labels").args([&good, &bad]));
        assert_eq!(ran.code, 1);
        for word in words {
            assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
        }
    }
}
