//! MODULE, as a server answers that has no modules and can load none.

use super::handlers::Family;
use super::table::help;
use crate::log;
use crate::resp::request::Args;
use crate::server::{Context, Outcome};

pub const COMMANDS: Family = &[
    ("module|help", help),
    ("module|list", list),
    ("module|load", load),
    ("module|loadex", load),
    ("module|unload", unload),
];

/// MODULE LIST
fn list(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.array(0);
    Ok(())
}

/// MODULE LOAD path [argument ...], and MODULE LOADEX
fn load(_: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let path = String::from_utf8_lossy(args.at(2));
    log::warning(&format!(
        "Module {path} failed to load: this server has no interface for modules"
    ));
    Err("ERR Error loading the extension. Please check the server logs.".into())
}

/// MODULE UNLOAD name
fn unload(_: &mut Context<'_>, _: Args<'_>) -> Outcome {
    Err("ERR Error unloading module: no such module with that name".into())
}

/// MODULE HELP
fn help(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    help::help(args.at(0), "module", ctx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::choice::Permission;
    use crate::server::testing::Server;

    #[test]
    fn there_are_no_modules_and_none_can_be_loaded() {
        let mut server = Server::start();
        assert_eq!(server.ask("MODULE LIST"), "*0|");
        for line in ["MODULE LOAD /x.so", "MODULE LOADEX /x.so", "MODULE UNLOAD x"] {
            assert!(
                server.ask(line).starts_with("-ERR MODULE command not allowed. "),
                "{line}"
            );
        }
        server.core.settings.enable_module_command = Permission::Yes;
        let refused = "-ERR Error loading the extension. Please check the server logs.|";
        assert_eq!(server.ask("MODULE LOAD /x.so a b"), refused);
        assert_eq!(server.ask("MODULE LOADEX /x.so ARGS a"), refused);
        assert_eq!(
            server.ask("MODULE UNLOAD x"),
            "-ERR Error unloading module: no such module with that name|"
        );
    }
}
