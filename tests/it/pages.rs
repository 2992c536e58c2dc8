//! `wader completions` and `wader man`: every command is in them.

use crate::support::service::wader;

#[tokio::test]
async fn shells_and_man_know_every_command() {
    let help = wader(&["--help"]).await.out;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.split_whitespace().next());
    let commands: Vec<&str> = names.filter(|name| *name != "help").collect();
    assert!(commands.contains(&"run") && commands.contains(&"doctor"), "{help}");

    let bash = wader(&["completions", "bash"]).await;
    assert_eq!(bash.code, 0, "{bash:?}");
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("man1");
    let man = wader(&["man", to.to_str().unwrap()]).await;
    assert_eq!((man.code, man.out.as_str()), (0, ""), "{man:?}");
    assert!(to.join("wader.1").is_file());
    for command in commands {
        assert!(bash.out.contains(&format!("wader,{command})")), "{command}");
        let page = std::fs::read_to_string(to.join(format!("wader-{command}.1"))).unwrap();
        assert!(page.contains(&format!("wader\\-{command}")), "{page}");
    }
}
