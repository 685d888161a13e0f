//! Commands without a handler are unknown to clients. In a process of its own: what is built is said once.

use aeolus::commands::introspect::command;
use aeolus::commands::table::{by_id, errors, is_visible, lookup, lookup_full, set_built};
use aeolus::resp::reply::{Protocol, Reply};

fn ask(line: &str) -> String {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let mut reply = Reply::new(Protocol::Resp2);
    command(&args, &mut reply);
    String::from_utf8(reply.bytes).expect("UTF-8")
}

#[test]
fn only_built_commands_show() {
    let names = [
        "get",
        "command|count",
        "command|list",
        "command|info",
        "command|docs",
        "command|help",
        "config|get",
    ];
    set_built(names.map(|name| lookup_full(name.as_bytes()).expect(name).id));
    set_built([lookup(b"set").expect("set").id]);

    assert_eq!(ask("command count"), ":3\r\n");
    assert_eq!(
        ask("command list filterby pattern co*|*t"),
        "*3\r\n$13\r\ncommand|count\r\n$12\r\ncommand|list\r\n$10\r\nconfig|get\r\n"
    );
    assert_eq!(ask("command info set config|set"), "*2\r\n$-1\r\n$-1\r\n");
    assert_eq!(ask("command docs set"), "*0\r\n");
    assert!(ask("command info config").contains("*1\r\n*10\r\n$10\r\nconfig|get\r\n"));
    assert!(!ask("command help").contains("GETKEYS"));
    assert_eq!(
        ask("command getkeys get a"),
        "-ERR unknown subcommand 'getkeys'. Try COMMAND HELP.\r\n"
    );
    let refused = errors::resolve(&[b"set", b"a", b"b"]).expect_err("SET is not built");
    assert_eq!(
        refused.text(&[b"set", b"a"]),
        b"ERR unknown command 'set', with args beginning with: 'a' "
    );
    let config = lookup(b"config").expect("config");
    assert!(is_visible(config) && by_id(config.id).name == "config");
}
