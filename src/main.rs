//! The `aeolus` binary: reads the settings, opens the sockets, serves.

use std::process::ExitCode;

use aeolus::commands::handlers::Handlers;
use aeolus::commands::table::renamed::{Renames, set_renames};
use aeolus::config::{self, RenamedCommand, StartError, Startup};
use aeolus::host::os::OsHost;
use aeolus::host::program;
use aeolus::reactor::{Reactor, process};
use aeolus::server::Core;
use aeolus::{crash, hashing, log, memory, tools};

fn main() -> ExitCode {
    memory::claim_serving_thread();
    hashing::seed();
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(code) = tools::run(&args) {
        return code;
    }
    match config::load(args.into_iter()) {
        Ok(startup) => match rename_commands(&startup.renamed_commands) {
            Ok(()) => serve(startup),
            Err(error) => refuse(&error),
        },
        Err(StartError::Information(text)) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &StartError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

/// Gives commands the names that the settings say.
fn rename_commands(lines: &[RenamedCommand]) -> Result<(), StartError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut renames = Renames::default();
    for line in lines {
        let renamed = renames.rename(&line.name, &line.new_name);
        renamed.map_err(|error| line.reject(error.text()))?;
    }
    set_renames(renames);
    Ok(())
}

/// Serves until the end; the exit code says whether that was asked for.
fn serve(startup: Startup) -> ExitCode {
    match try_serve(startup) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log::warning(&message);
            ExitCode::FAILURE
        }
    }
}

fn try_serve(startup: Startup) -> Result<(), String> {
    let Startup {
        mut settings,
        config_file,
        users,
        warnings,
        ..
    } = startup;
    process::set_log_level(&settings);
    let logfile = settings.logfile.to_string();
    log::set_file(logfile.as_ref()).map_err(|error| format!("Can't open the log file: {error}"))?;
    process::enter_directory(&settings)?;
    if settings.daemonize {
        process::daemonize().map_err(|error| format!("Can't become a daemon: {error}"))?;
    }
    if settings.disable_thp {
        memory::avoid_huge_pages();
    }
    crash::set_enabled(settings.crash_log_enabled);
    crash::set_exits_on_panic(settings.use_exit_on_panic);
    crash::report_to(logfile.as_ref()).map_err(|error| format!("Can't have crashes reported: {error}"))?;
    log::set_role(b'M');
    log::notice(&format!("Aeolus version {} is starting", env!("CARGO_PKG_VERSION")));
    for warning in warnings {
        log::warning(&warning);
    }
    settings.maxclients = process::fit_descriptor_limit(settings.maxclients as u64) as _;
    let tls = process::load_tls(&settings).map_err(|error| {
        log::warning(&error);
        "Failed to configure TLS. Check logs for more info."
    })?;
    let listeners = process::open_listeners(&settings, tls.as_ref()).map_err(|error| error.0)?;
    let signals = process::Signals::new().map_err(|error| format!("Can't listen for signals: {error}"))?;
    // Whoever waits for the number of the process connects when there is one, and it stays another's if that one has the
    // port.
    let pidfile = process::pidfile(&settings);
    if let Some(path) = &pidfile {
        process::write_pidfile(path);
    }
    log::notice(&format!(
        "Running mode=standalone, port={}. PID: {}",
        settings.shown_port(),
        std::process::id()
    ));
    memory::give_back_aside();
    Handlers::shared().announce();
    program::populate();
    let mut core = Core::new(settings, process::unix_now(), Box::new(OsHost::default()));
    core.load_users(&users)?;
    core.facts.config_file = config_file
        .as_ref()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    core.facts.config_path = config_file;
    core.facts.executable = std::env::current_exe()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let mut reactor =
        Reactor::new(core, listeners, tls, signals).map_err(|error| format!("The event loop failed: {error}"))?;
    // Those who start servers wait for this line, or for the one that says that data are loaded too.
    log::notice("Server initialized");
    // What the server holds before it serves anybody, the reactor's buffers included.
    reactor.core.facts.startup_bytes = memory::used();
    reactor.core.begin_loading()?;
    if reactor.core.loading.is_none() {
        reactor.core.begin_service();
    }
    reactor.run()?;
    if let Some(path) = &pidfile {
        let _ = std::fs::remove_file(path);
    }
    log::warning("Aeolus is now ready to exit, bye bye...");
    Ok(())
}
