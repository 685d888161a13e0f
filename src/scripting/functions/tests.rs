use super::*;
use crate::scripting::Kind;

struct Stage {
    engine: Engine,
    functions: Functions,
}

impl Stage {
    fn new() -> Stage {
        let engine = Engine::new(Kind::Functions, false).expect("an engine");
        let functions = Functions::new(&engine).expect("a world of libraries");
        Stage { engine, functions }
    }

    fn load(&mut self, name: &str, body: &str, may_replace: bool) -> Result<(), String> {
        let source = format!("#!lua name={name}\n{body}");
        let loaded = self
            .functions
            .load(&mut self.engine, source.as_bytes(), may_replace, Some(PATIENCE));
        loaded
            .map(drop)
            .map_err(|refusal| String::from_utf8_lossy(&refusal).into_owned())
    }

    /// Calls a function; gives its reply, and how many slices it has taken. It is killed after so many.
    fn call(&mut self, name: &str, killed_after: usize) -> (String, usize) {
        let none = Args::new(&[], &[], &[]);
        let function = self
            .functions
            .libraries()
            .function(name.as_bytes())
            .expect("it is there");
        let invocation = Invocation {
            function: function.id,
            style: Style::Function,
            name,
            protocol: Protocol::Resp2,
            keys: none,
            args: none,
        };
        self.engine.begin(&invocation).expect("it can begin");
        let (mut answer, mut slices) = (Answer::GoOn, 0);
        while self.engine.resume(answer) != Event::Done {
            slices += 1;
            answer = if slices > killed_after {
                Answer::Killed
            } else {
                Answer::GoOn
            };
        }
        (
            String::from_utf8_lossy(&self.engine.reply_mut().bytes).into_owned(),
            slices,
        )
    }

    fn says(&mut self, name: &str) -> String {
        self.call(name, usize::MAX).0
    }
}

fn function(name: &str, body: &str) -> String {
    format!("redis.register_function('{name}', function() {body} end)\n")
}

#[test]
fn a_library_that_does_not_load_changes_nothing() {
    let mut stage = Stage::new();
    stage
        .load("a", &(function("f", "return 1") + &function("g", "return 2")), false)
        .expect("a good library");
    for (name, body) in [
        ("a", "error('mine')"),
        ("a", "x ="),
        ("b", &function("f", "return 3")),
        ("a", "return 1"),
    ] {
        stage.load(name, body, true).expect_err("a bad library");
    }
    let timed_out = stage.load("a", &(function("f", "return 4") + "while true do end"), true);
    assert_eq!(
        timed_out,
        Err("Error registering functions: ERR FUNCTION LOAD timeout".to_owned())
    );
    assert_eq!(
        (stage.says("f"), stage.says("g")),
        (":1\r\n".to_owned(), ":2\r\n".to_owned())
    );
    stage
        .load("a", &function("g", "return 5"), true)
        .expect("a good library");
    assert_eq!(stage.says("G"), ":5\r\n");
    assert!(stage.functions.libraries().function(b"f").is_none());
    assert!(stage.functions.delete(&mut stage.engine, b"a") && !stage.functions.delete(&mut stage.engine, b"a"));
    assert_eq!(stage.functions.libraries().function_count(), 0);
}

/// Redis keeps one of them by chance, and dies when the library is deleted.
#[test]
fn of_two_names_that_differ_in_case_the_first_counts() {
    let mut stage = Stage::new();
    stage
        .load("a", &(function("f", "return 1") + &function("F", "return 2")), false)
        .expect("a good library");
    assert_eq!(
        (stage.says("f"), stage.says("F")),
        (":1\r\n".to_owned(), ":1\r\n".to_owned())
    );
    let taken = stage.load("b", &function("F", "return 3"), false);
    assert_eq!(taken, Err("Function F already exists".to_owned()));
    assert!(stage.functions.delete(&mut stage.engine, b"a"));
    assert!(stage.functions.libraries().function(b"f").is_none());
}

#[test]
fn thousands_of_functions_are_held() {
    let mut stage = Stage::new();
    let body = "for i = 1, 20000 do redis.register_function('f' .. i, function() return i end) end";
    stage.load("many", body, false).expect("a good library");
    assert_eq!(stage.says("f20000"), ":20000\r\n");
    stage
        .load("many", &function("g", "return 1"), true)
        .expect("a good library");
    stage.load("more", body, false).expect("a good library");
    assert_eq!(
        (stage.says("g"), stage.says("f7")),
        (":1\r\n".to_owned(), ":7\r\n".to_owned())
    );
}

#[test]
fn functions_may_change_places_when_libraries_are_restored() {
    let mut stage = Stage::new();
    stage
        .load("a", &function("f", "return 1"), false)
        .expect("a good library");
    stage
        .load("b", &function("g", "return 2"), false)
        .expect("a good library");
    let moved = [("a", "g", 3), ("b", "f", 4)];
    let sources = moved.map(|(library, name, value)| {
        format!("#!lua name={library}\n{}", function(name, &format!("return {value}"))).into_bytes()
    });
    let Stage { engine, functions } = &mut stage;
    assert!(functions.restore(engine, &sources, Policy::Append).is_err());
    functions.restore(engine, &sources, Policy::Replace).expect("they fit");
    assert_eq!(
        (stage.says("f"), stage.says("g")),
        (":4\r\n".to_owned(), ":3\r\n".to_owned())
    );
}

#[test]
fn registering_while_registering_is_refused() {
    let mut stage = Stage::new();
    let body = "local lib = redis
        lib.register_function('meta', function()
            return setmetatable({}, {__index = function() lib.register_function('x', function() end) end})
        end)";
    stage.load("a", body, false).expect("a good library");
    assert_eq!(stage.says("meta"), "*0\r\n");
}

/// What works on much data in Rust has slices as a script has, and can be killed.
#[test]
fn libraries_of_scripts_take_turns() {
    let mut stage = Stage::new();
    stage.engine.set_slice(Duration::from_micros(100));
    let prepare = "local t = {} for i = 1, 50000 do t[i] = {i} end ";
    for (name, work) in [
        ("encode", "return #cjson.encode(t)"),
        ("pack", "return #cmsgpack.pack(t)"),
        (
            "decode",
            "local s = '[' .. string.rep('[1],', 50000) .. '0]' return #cjson.decode(s)",
        ),
        (
            "unpack",
            "local s = '\\221\\0\\0\\195\\80' .. string.rep('\\145\\1', 50000) return #cmsgpack.unpack(s)",
        ),
    ] {
        let prepare = if work.contains("(t)") { prepare } else { "" };
        stage
            .load(name, &function(name, &format!("{prepare}{work}")), false)
            .expect("a good library");
        let (reply, slices) = stage.call(name, usize::MAX);
        assert!(reply.starts_with(':') && slices > 5, "{name}: {reply} {slices}");
        let (reply, _) = stage.call(name, slices - 3);
        assert!(reply.starts_with("-ERR Script killed by user"), "{name}: {reply}");
        assert_eq!(stage.call(name, usize::MAX).0.as_bytes()[0], b':');
    }
}
