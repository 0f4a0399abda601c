// The only list of commands, options and operands.

extension Command {
    static var all: [Command] { Verb.allCases.map(Command.of) }

    static func named(_ name: String) -> Command? { Verb(rawValue: name).map(Command.of) }

    /// Makes only the requested command, so that the start of a program does not pay for the
    /// others.
    static func of(_ verb: Verb) -> Command {
        switch verb {
        case .run: run
        case .serve: serve
        case .watm: watm
        case .services: services
        case .ctl: ctl
        case .top: top
        case .token: token
        case .data: data
        case .othismo: othismo
        case .validate: validate
        case .inspect: inspect
        case .explore: explore
        case .wat2wasm: wat2wasm
        case .wasm2wat: wasm2wat
        case .wast: wast
        case .completions: completions
        case .version: version
        case .help: help
        }
    }

    static let run = Command(
        verb: .run,
        summary: "Run a WebAssembly program",
        operands: [CommandOperand("FILE", .one, .module), CommandOperand("ARGS", .guest, .file)],
        options: [
            .dir, .env, .envInherit, .stdin, .argv0, .chdir, .tcplisten, .listenFd, .allowHost,
            .maxSessions, .invoke, .preload, .unknownImports, .fuel, .timeout, .maxMemory, .maxHeap,
            .stackSize,
            .maxTable, .maxThreads, .maxDescriptors, .sandbox, .deterministic, .features, .trace,
            .stats, .profile, .flamegraph, .coverage, .coredump, .saveModule, .help,
        ],
        notes: [
            "FILE is a binary or a text (.wat). Everything after it belongs to the program, also "
                + "what looks like an option of wasmd: options stand before FILE. The program sees "
                + "no files, no environment and no network unless an option says so.",
            "A module is run by its start function, then its export _initialize, then _start; "
                + "--invoke takes the place of the last. A module with none of them needs --invoke.",
            "ARGS of a function that --invoke calls are numbers as the text format writes them: 7, "
                + "-7, 0xff, 1.5, inf, nan. A v128 is 0x and up to 32 digits, or its lanes: "
                + "i32x4:1,2,3,4 (i8x16, i16x8, i32x4, i64x2, f32x4, f64x2). A reference is null.",
            "The program's exit code becomes the exit code of wasmd. A trap or an uncaught "
                + "exception ends with 134 and prints where it happened, a module that is refused "
                + "ends with 1, wrong usage with 2.",
            "SIZE is a number of bytes, or one with KiB, MiB or GiB (powers of 1024; K, M, G for "
                + "short) or KB, MB or GB (powers of 1000). DURATION is a number with ms, s, m or "
                + "h, or of seconds.",
        ],
        examples: [
            ("wasmd run --dir . count.wasm notes.txt", "a program that reads a file"),
            ("wasmd run --invoke add math.wasm 2 -3", "call the export 'add' and print its result"),
            ("wasmd run --timeout 2s --max-memory 64MiB guest.wasm", "with limits"),
            ("wasmd run --tcplisten 127.0.0.1:8080 server.wasm", "a program that accepts"),
            ("wasmd run --flamegraph out.svg slow.wasm", "what does it spend its time on?"),
            (
                "wasmd run --invoke init --save-module ready.wasm app.wasm",
                "prepare a module ahead of time"
            ),
            ("wasmd run --trace --dir . app.wasm", "what does it ask the system for?"),
            (
                "wasmd run --preload math=math.wasm app.wasm",
                "a program that imports another module"
            ),
        ])

    static let serve = Command(
        verb: .serve,
        summary: "Serve WebAssembly programs over HTTP",
        operands: [CommandOperand("PATH", .optional, .module)],
        options: [
            .config, .check, .data, .executor, .executorLegacy, .wess, .wessConfig, .wessLog,
            .console, .supervisor, .supervisorOrchestrator, .cameraImage, .orchestrator,
            .orchestratorInit, .orchestratorWeb, .othismo, .othismoImage, .broker, .noMulticast,
            .transport,
            .insecure, .listen, .dir, .env, .envInherit, .runTimeout, .runMaxMemory,
            .fuel, .maxRequests, .maxWaiting, .maxBody, .trustProxy, .loops, .sandbox,
            .noSandbox, .features, .json, .help,
        ],
        notes: [
            "Each request runs the program, in an instance of its own. It finds the request in its "
                + "environment (CGI, RFC 3875: REQUEST_METHOD, PATH_INFO, QUERY_STRING, HTTP_... and "
                + "others) and the body as its standard input. It prints header lines, an empty line "
                + "and a body; without header lines all is the body, of type text/plain. Lines "
                + "that it writes to its standard error are printed with the number of the run. "
                + "Modules made for WAGI run unchanged.",
            "PATH is a module, which serves all paths, or a folder: NAME.wasm serves /NAME and the "
                + "paths below it, index.wasm its folder, [id].wasm any name, which it finds as "
                + "X_PATH_MATCH_ID, and [...rest].wasm all other paths of its folder. Files in the "
                + "folder public are sent as they are. Changed files are picked up.",
            "A program that is not finished in time gets 504, a body that is too large 413, a "
                + "request beyond --max-requests and --max-waiting 503, and a program that fails 500.",
            "Without PATH it is a server that stores modules and runs them, for others: POST /wasm "
                + "stores one, POST /wasm/ID runs it. 'wasmd token' makes tokens; addresses that "
                + "other machines reach need one in the configuration, or --insecure. FILE is TOML; "
                + "docs/operating.md has all settings.",
            "SIGTERM and Ctrl-C close the listeners; requests have 3 seconds to end.",
        ],
        examples: [
            ("wasmd serve hello.wasm", "at http://127.0.0.1:8080/"),
            ("wasmd serve site", "the programs and files of a folder"),
            ("wasmd serve --listen 0.0.0.0:80 --dir data app.wasm", "for others, with a folder"),
            ("wasmd serve", "store and run modules at http://127.0.0.1:8080/wasm"),
            ("wasmd serve --config wasmd.toml", "the same, as a file says"),
        ])

    static let ctl = Command(
        verb: .ctl,
        summary: "See and change a server that runs",
        operands: [
            CommandOperand("VERB", .one, .word(.controlVerbs)),
            CommandOperand("ARGS", .any, .file),
        ],
        options: [
            .server, .tokenFile, .json, .callFunction, .follow, .runID, .recent, .ofModule,
            .seconds, .profileForm, .output, .undo, .onServer, .help,
        ],
        notes: [
            "status: how the server does. list: its modules. put FILE [ID]: store a module, or "
                + "replace that of ID; prints the id. show ID, get ID, delete ID: the record of a "
                + "module, the module itself, and its end.",
            "run ID [ARGS]: call a function with ARGS, which are numbers or other JSON, or texts; "
                + "a program gets them as its arguments, and what wasmd gets as standard input "
                + "unless that is a terminal. After -- ARGS may begin with a dash. The exit code "
                + "is the program's.",
            "runs [RUN]: runs that are active and the last ones, or one with its backtrace. stop "
                + "RUN: end it. logs: what modules write to standard error. profile [NAME]: look "
                + "at all runs of the module NAME for some seconds; without NAME at all modules. "
                + "NAME is an id, the module's own name, or the beginning of its SHA-256.",
            "reload: read the configuration again. drain: let /readyz say that no requests are "
                + "wanted. shutdown: end the server as SIGTERM does. backup FOLDER: copy what is "
                + "stored into the new data folder FOLDER. compact: remove what is old. verify: "
                + "compare all checksums.",
            "The server is the one of the data folder wasmd-data in the current folder, through "
                + "its socket wasmd.sock, for which its user needs no token.",
        ],
        examples: [
            ("wasmd ctl put hello.wasm", "store a module"),
            ("wasmd ctl run 7d444840-9dc0-41a5-8a3b-0123456789ab 1 2", "call its function"),
            ("wasmd ctl logs --follow", "what do programs say?"),
            ("wasmd ctl profile fib --seconds 10 -o fib.svg", "what does it spend its time on?"),
            (
                "wasmd ctl --server http://10.0.0.7:8080 --token-file token status",
                "another machine"
            ),
        ])

    static let top = Command(
        verb: .top,
        summary: "Watch a server that runs",
        operands: [],
        options: [.server, .tokenFile, .count, .json, .help],
        notes: [
            "On a terminal one page, drawn anew each second: runs, failures and refusals a second, "
                + "connections, memory, the modules that run most, and active runs, the longest "
                + "first. Ctrl-C ends it. Elsewhere a line for each second.",
            "The server is the one of the data folder wasmd-data in the current folder, or that of "
                + "--server. A token needs the scope admin.",
        ],
        examples: [
            ("wasmd top", "the server of wasmd-data"),
            ("wasmd top --server http://10.0.0.7:8080 --token-file token", "another machine"),
            ("wasmd top --count 60 --json > load.json", "a minute, for programs"),
        ])

    static let token = Command(
        verb: .token,
        summary: "Make a token for those who use a server",
        operands: [],
        options: [.tokenName, .scopes, .tenant, .json, .help],
        notes: [
            "Prints a new random token, and what the configuration file of 'wasmd serve --config' "
                + "needs to know it: its SHA-256 and what its bearer may do. The token itself is "
                + "stored nowhere.",
            "Scopes: read sees what is stored and how runs ended, write stores, changes and "
                + "deletes, run runs, admin is everything of the admin interface.",
        ],
        examples: [
            ("wasmd token --name ci --scopes write", "for a program that stores modules"),
            ("wasmd token --name shop --scopes read,run --tenant shop", "for a tenant"),
        ])

    static let data = Command(
        verb: .data,
        summary: "Check, compact, back up and restore a data folder",
        operands: [
            CommandOperand("ACTION", .one, .word(.dataActions)),
            CommandOperand("FOLDER", .one, .folder),
            CommandOperand("TARGET", .optional, .folder),
        ],
        options: [.json, .help],
        notes: [
            "verify FOLDER reads everything and compares all checksums; it changes nothing. compact "
                + "FOLDER removes old values and blobs without a record. backup FOLDER TARGET "
                + "copies what is stored into the new folder TARGET, which is a data folder by "
                + "itself. restore BACKUP FOLDER copies a backup into the new folder FOLDER.",
            "verify and backup may be used while a server has the folder open. compact is done by "
                + "the server then, through its socket; restore needs a folder that is not there.",
            "Prints what is damaged or missing, with the file and the place, and ends with 1 then; "
                + "what is whole is copied all the same.",
        ],
        examples: [
            ("wasmd data verify wasmd-data", "is everything there?"),
            ("wasmd data backup wasmd-data /backups/monday", "a copy"),
            ("wasmd data restore /backups/monday wasmd-data", "and back"),
        ])

    static let othismo = Command(
        verb: .othismo,
        summary: "Keep objects that exchange messages in an image",
        operands: [
            CommandOperand("IMAGE", .optional, .files(["simg"])),
            CommandOperand("VERB", .optional, .word(.imageVerbs)),
            CommandOperand("ARGS", .any, .file),
        ],
        options: [
            .objectName, .messageTimeout, .listen, .maxBody, .answerTime, .loops, .sandbox,
            .noSandbox, .help,
        ],
        notes: [
            "An image is one file with modules and instances of them, which exchange messages (BSON "
                + "documents) and keep their state when no process runs. 'wasmd othismo new-image "
                + "NAME' makes NAME.simg, a SQLite 3 database.",
            "import-module FILE: add a module; its name is that of FILE without the ending, or "
                + "--name. Modules of the host need no file: othismo.console, othismo.namespace, "
                + "othismo.http, othismo.blobs. remove-module MODULE: the opposite. instantiate-instance MODULE "
                + "INSTANCE: make an object of a module. delete-instance INSTANCE: its end. "
                + "list-objects [PREFIX]: the paths of all.",
            "send-message INSTANCE [TYPE.KEY=VALUE...]: send a message, and print what arrives at "
                + "the console, one JSON document a line, until no message is in flight. The last "
                + "dot separates the type from the key; VALUE is JSON or text; @FILE adds the "
                + "members of a JSON object in FILE, @@PATH of one in the image. To an object of "
                + "blobs, cp=FOLDER copies files. run: handle the messages that wait in the "
                + "image.",
            "make-path PATH: make a folder. sym-link TARGET PATH, mount TARGET PATH: let PATH mean "
                + "TARGET, or let paths below PATH mean those below TARGET.",
            "serve: answer HTTP requests at --listen by messages to the object at "
                + "/server.sites/HOST (or /server.sites/default), and files from the object of "
                + "blobs at /server/content/HOST. While an image is served, the other verbs go "
                + "through the server. shell: read verbs, and lines like '/c counter.add.by=2', "
                + "from a terminal, with completion, or from standard input.",
            "serve, shell, run, send-message and instantiate-instance run code of the image: before, "
                + "the kernel restricts the process to the folder of the image and the files that "
                + "are named (the shell reads all). --no-sandbox lets that be.",
        ],
        examples: [
            ("wasmd othismo new-image app", "makes app.simg"),
            ("wasmd othismo app import-module counter.wasm", "the module 'counter'"),
            ("wasmd othismo app instantiate-instance counter /c", "an object with its own state"),
            ("wasmd othismo app send-message /c counter.add.by=2", "prints its answer"),
            ("wasmd othismo app sym-link /c /server.sites/localhost", "it gets web requests"),
            ("wasmd othismo app serve", "at http://127.0.0.1:8080/"),
            ("wasmd othismo app shell", "type messages"),
        ])

    static let validate = Command(
        verb: .validate,
        summary: "Check that modules are valid",
        operands: [CommandOperand("FILE", .oneOrMore, .module)],
        options: [.features, .json, .verbose, .help],
        notes: [
            "Prints nothing about valid modules. For each module that is refused it prints the "
                + "file, the place and the reason, and ends with 1.",
            "FILE is a binary or a text (.wat); - stands for standard input.",
        ],
        examples: [
            ("wasmd validate build/*.wasm", "check many files at once"),
            ("wasmd validate --features wasm2 lib.wasm", "is it WebAssembly 2.0?"),
        ])

    static let inspect = Command(
        verb: .inspect,
        summary: "Show what a module consists of",
        operands: [CommandOperand("FILE", .one, .module)],
        options: [.json, .help],
        notes: [
            "Shows the sections with their sizes, types, imports, exports, memories, tables, "
                + "globals, the tools that produced the module and the features it needs.",
            "FILE is a binary or a text (.wat); - stands for standard input.",
        ],
        examples: [
            ("wasmd inspect app.wasm", "a page for people"),
            ("wasmd inspect --json app.wasm", "the same for programs"),
        ])

    static let explore = Command(
        verb: .explore,
        summary: "Show wasm beside the register code it becomes",
        operands: [CommandOperand("FILE", .one, .module), CommandOperand("FUNCTION", .optional)],
        options: [.features, .help],
        notes: [
            "FILE is a binary or a text (.wat); - stands for standard input.",
            "FUNCTION is the index of a function, a name it is exported by, or its name in the "
                + "name section. Without it all functions are shown.",
        ],
        examples: [("wasmd explore fib.wasm fib", "the code of one function")])

    static let wat2wasm = Command(
        verb: .wat2wasm,
        summary: "Make a module of its text",
        operands: [CommandOperand("FILE", .one, .text)],
        options: [.output, .noNames, .noCheck, .help],
        notes: [
            "Reads the text format of WebAssembly 3.0, with threads, custom page sizes, wide "
                + "arithmetic and the older exceptions. Identifiers become the names in the "
                + "module's name section. A module that is not valid is refused.",
            "In a text that wasm2wat printed and that was changed since, custom sections with "
                + "offsets into the code (.debug_*, reloc.*, linking, sourceMappingURL, "
                + "external_debug_info, metadata.code.*) are left out with a warning, unless all "
                + "that they are about is where it was.",
            "Without --output the module goes to the current folder, under the name of FILE with "
                + "the ending .wasm. FILE may be - for standard input; then the module goes to "
                + "standard output.",
        ],
        examples: [
            ("wasmd wat2wasm math.wat", "writes math.wasm"),
            ("wasmd wat2wasm -o - math.wat | wasmd inspect -", "no file in between"),
        ])

    static let wasm2wat = Command(
        verb: .wasm2wat,
        summary: "Print a module as text",
        operands: [CommandOperand("FILE", .one, .binary)],
        options: [.output, .fold, .offsets, .noPadding, .noNames, .generateNames, .help],
        notes: [
            "The text becomes the same module again with 'wasmd wat2wasm', byte for byte, unless "
                + "names or padding are left out or names are made up. Modules that are not valid "
                + "are printed too, as long as they can be decoded.",
            "Linkers leave room in numbers. Annotations (@wasmd.padding ...) keep that; other "
                + "tools skip them. With --no-padding, custom sections with offsets into the code "
                + "(.debug_*, reloc.*, linking, sourceMappingURL, external_debug_info, "
                + "metadata.code.*) are left out with a warning if the code gets shorter.",
            "FILE may be - for standard input.",
        ],
        examples: [
            ("wasmd wasm2wat --fold math.wasm", "operands inside of their instructions"),
            ("wasmd wasm2wat -o math.wat math.wasm", "into a file"),
        ])

    static let wast = Command(
        verb: .wast,
        summary: "Run scripts of the specification's test suite",
        operands: [CommandOperand("FILE|FOLDER", .oneOrMore, .script)],
        options: [
            .jobs, .features, .eager, .stress, .canonicalNaNs, .commandFuel, .commandTimeout,
            .print, .everyFailure,
            .counts, .table, .json, .help,
        ],
        notes: [
            "Runs each script (.wast) in a store of its own, of folders all scripts in them; - "
                + "stands for standard input. A folder that has the name of a feature, such as "
                + "custom-page-sizes, turns it on; 'legacy' stands for legacy-exceptions.",
            "Prints a line for each failure: FILE:LINE, what was expected and what came. Ends "
                + "with 1 if anything failed. A command that is not understood is a failure.",
        ],
        examples: [
            ("wasmd wast --jobs 4 testsuite", "all scripts in a folder"),
            ("wasmd wast --counts testsuite", "how many commands each script was seen to have"),
        ])

    static let completions = Command(
        verb: .completions,
        summary: "Print a completion script for a shell",
        operands: [CommandOperand("SHELL", .one, .word(.shells))],
        options: [.help],
        notes: ["SHELL is bash, zsh or fish."],
        examples: [
            ("source <(wasmd completions bash)", "for this bash session"),
            ("wasmd completions zsh > \"${fpath[1]}/_wasmd\"", "for every zsh session"),
            ("wasmd completions fish | source", "for this fish session"),
        ])

    static let version = Command(
        verb: .version, summary: "Print the version of wasmd", operands: [], options: [.help])

    static let help = Command(
        verb: .help,
        summary: "Explain wasmd or one of its commands",
        operands: [CommandOperand("COMMAND", .optional, .word(.verbs))],
        options: [.help])
}

extension Option {
    static let help = Option("help", letter: "h", help: "Explain this command")

    static let dir = Option(
        "dir", value: "HOST[::GUEST][:ro]", .folder, repeats: true,
        help: "Let the program use the folder HOST, under the name GUEST if there is one (two "
            + "colons stand between them); ':ro' lets it only read. May be repeated")
    static let env = Option(
        "env", value: "NAME[=VALUE]", repeats: true,
        help: "Set a variable of the program's environment; without VALUE it is copied from "
            + "the environment of wasmd. May be repeated")
    static let envInherit = Option(
        "env-inherit", help: "Give the program the whole environment of wasmd")
    static let stdin = Option(
        "stdin", value: "FILE", .file, help: "Let the program read FILE as its standard input")
    static let argv0 = Option(
        "argv0", value: "NAME",
        help: "What the program finds as its own name; default is the name of FILE")
    static let chdir = Option(
        "chdir", value: "FOLDER", .folder,
        help: "Go to FOLDER first: FILE and the folders and files of options are looked up there")
    static let tcplisten = Option(
        "tcplisten", value: "ADDR", repeats: true,
        help: "Let the program accept connections at ADDR: 127.0.0.1:8080, [::1]:8080 or "
            + "unix:PATH. It finds the listening socket behind its folders, as the first number "
            + "from 3 on that is free. For port 0 the system chooses one, which is printed to "
            + "standard error. May be repeated")
    static let listenFd = Option(
        "listen-fd", value: "N", repeats: true,
        help: "Give the program the open descriptor N of wasmd, a socket or a pipe; it finds it "
            + "behind those of --tcplisten. May be repeated")
    static let invoke = Option(
        "invoke", value: "NAME",
        help: "Call the exported function NAME with ARGS as numbers and print its results")
    static let preload = Option(
        "preload", value: "NAME=FILE", .file, repeats: true,
        help: "Instantiate the module FILE first and offer its exports under the module name NAME "
            + "to those after it and to the program. May be repeated")
    static let unknownImports = Option(
        "unknown-imports", value: "MODE", .word(.unknownImports),
        help: "Run a module although imports are missing: 'trap' lets functions trap when they are "
            + "called, 'zero' lets them return zeros and makes memories, tables and globals of zeros"
    )
    static let trace = Option(
        "trace", value: "FILE", .file, isValueOptional: true,
        help: "Write each WASI call of the program with its arguments and results to FILE, or to "
            + "standard error")
    static let saveModule = Option(
        "save-module", value: "OUT", .file,
        help:
            "When the call has returned, write a module to OUT that begins with the state that it "
            + "left: memories, globals and tables. Any engine can run it")
    static let objectName = Option(
        "name", value: "NAME", help: "import-module: the name of the module in the image")
    static let messageTimeout = Option(
        "timeout", value: "DURATION",
        help: "send-message and run: wait so long for messages in flight, for example 500ms; "
            + "default 30s. Those that are left wait in the image")
    static let answerTime = Option(
        "answer-time", value: "DURATION",
        help: "serve: answer 504 for objects that need longer, for example 500ms; default 30s")
    static let coredump = Option(
        "coredump", value: "OUT", .file,
        help: "Write a core dump (stack with locals, globals, memories) to OUT if the program is "
            + "stopped by a trap or an uncaught exception")
    static let fuel = Option(
        "fuel", value: "N", help: "Stop the program after N backward branches and calls")
    static let timeout = Option(
        "timeout", value: "DURATION",
        help: "Stop this long after the start of wasmd, for example 500ms")
    static let listen = Option(
        "listen", value: "ADDR", repeats: true,
        help: "Listen at ADDR: 127.0.0.1:8080 (the default), [::1]:8080 or unix:PATH. For port 0 "
            + "the system chooses one. May be repeated")
    static let data = Option(
        "data", value: "DIR", .folder,
        help: "Store modules in the folder DIR, which is made if it is not there; default "
            + "wasmd-data")
    static let executor = Option(
        "executor", value: "ADDR", repeats: true,
        help: "Store and run modules at ADDR, under /wasm; 127.0.0.1:8080 if no address is given "
            + "for anything. May be repeated")
    static let config = Option(
        "config", value: "FILE", .files(["toml"]),
        help: "Serve as the configuration file FILE says; variables WASMD_… and options go before "
            + "it. SIGHUP reads it again")
    static let check = Option(
        "check", value: "FILE", .files(["toml"]),
        help: "Say what is wrong with the configuration file FILE, and start nothing")
    static let executorLegacy = Option(
        "executor-legacy", value: "ADDR", repeats: true,
        help: "Serve the interface of the first executor, by query string, at ADDR. May be repeated"
    )
    static let console = Option(
        "console", value: "ADDR", repeats: true,
        help: "Serve the console, the admin interface, health and metrics at ADDR instead of the "
            + "address of --executor. May be repeated")
    static let tokenName = Option(
        "name", value: "NAME", help: "Call the token NAME in logs and metrics; default token")
    static let scopes = Option(
        "scopes", value: "LIST", .word(.scopes),
        help: "What its bearer may do: read, write, run and admin, separated by commas; default "
            + "read,write,run")
    static let tenant = Option(
        "tenant", value: "NAME",
        help: "Let it see and touch only modules and jobs of the tenant NAME, and nothing else of "
            + "the server")
    static let wess = Option(
        "wess", value: "ADDR", repeats: true,
        help: "Store and run modules at ADDR as the program wess does. May be repeated")
    static let wessConfig = Option(
        "wess-config", value: "FILE", .file,
        help: "Listen where FILE, the wess.toml of the program wess, says, as with --wess, which "
            + "goes before it. Sizes of its channels raise the limits of waiting writes and runs")
    static let wessLog = Option(
        "wess-log", value: "FILE", .file, help: "Write each change as a line of wess to FILE")
    static let supervisor = Option(
        "supervisor", value: "ADDR", repeats: true,
        help: "Be a device of wasmiot at ADDR: run what an orchestrator deploys. May be repeated")
    static let supervisorOrchestrator = Option(
        "supervisor-orchestrator", value: "URL",
        help: "Register the device of --supervisor with the orchestrator at URL")
    static let orchestrator = Option(
        "orchestrator", value: "ADDR", repeats: true,
        help: "Be the orchestrator of wasmiot at ADDR: keep modules and devices, deploy the one to "
            + "the others. May be repeated")
    static let orchestratorInit = Option(
        "orchestrator-init", value: "DIR", .folder,
        help: "Add to --orchestrator what the init folder DIR has and it has not: module/*.json, "
            + "device/*.json, deployment/*.json and others, and files")
    static let broker = Option(
        "broker", value: "ADDR", repeats: true,
        help: "Let clients exchange messages by topics at ADDR: 'TOPIC VALUE' publishes, 'read "
            + "TOPIC' takes the oldest. May be repeated")
    static let orchestratorWeb = Option(
        "orchestrator-web", value: "DIR", .folder,
        help: "Serve the page in DIR at / of --orchestrator in place of the built-in one; it is "
            + "read at the start")
    static let othismo = Option(
        "othismo", value: "ADDR", repeats: true,
        help: "Serve the sites of --othismo-image at ADDR: its objects answer the requests. May "
            + "be repeated")
    static let othismoImage = Option(
        "othismo-image", value: "IMAGE", .files(["simg"]),
        help: "The image of --othismo; see 'wasmd help othismo'")
    static let noMulticast = Option(
        "no-mdns",
        help: "Neither advertise --supervisor and --orchestrator in the local network by multicast "
            + "DNS, nor look for devices there")
    static let transport = Option(
        "transport", value: "SPEC", repeats: true,
        help: "Carry connections through a transport as 'wasmd watm' does: SPEC is dial, listen or "
            + "relay, then ,module=FILE,listen=ADDR,remote=ADDR and perhaps ,config=FILE,name=NAME. "
            + "May be repeated")
    static let cameraImage = Option(
        "camera-image", value: "FILE", .file,
        help: "Give modules of --supervisor a camera whose images are FILE")
    static let insecure = Option(
        "insecure", help: "Let everybody who reaches an address store and run modules")
    static let runTimeout = Option(
        "timeout", value: "DURATION",
        help: "Stop a program this long after its request, for example 500ms; default 10s")
    static let maxRequests = Option(
        "max-requests", value: "N",
        help: "Answer at most N requests at the same time; default 1024")
    static let maxWaiting = Option(
        "max-waiting", value: "N",
        help: "Let at most N requests beyond --max-requests wait for their turn, for at most 10s; "
            + "default 1024")
    static let maxBody = Option(
        "max-body", value: "SIZE", help: "Refuse bodies of requests above SIZE; default 8MiB")
    static let trustProxy = Option(
        "trust-proxy", value: "ADDR", repeats: true,
        help: "Believe what the proxy at ADDR, or in the network ADDR/BITS, says of its clients: "
            + "Forwarded, X-Forwarded-For, -Proto and -Host. May be repeated")
    static let loops = Option(
        "loops", value: "N", help: "Use N threads; default is one for each processor")
    static let maxMemory = Option(
        "max-memory", value: "SIZE",
        help: "Let the program with all its threads take at most SIZE, for example 64MiB: its "
            + "memories, tables, objects, stacks and code together; default 8GiB")
    static let runMaxMemory = Option(
        "max-memory", value: "SIZE",
        help: "Let a run of a program take at most SIZE, for example 64MiB; default 256MiB")
    static let maxHeap = Option(
        "max-heap", value: "SIZE",
        help: "Let structures, arrays and exceptions of a thread take at most SIZE; default 4GiB")
    static let stackSize = Option(
        "stack-size", value: "SIZE",
        help: "Room for the calls of a thread; default 16MiB")
    static let maxTable = Option(
        "max-table", value: "N",
        help: "Let a table of the program have at most N elements; default 10 million")
    static let maxThreads = Option(
        "max-threads", value: "N",
        help: "Let the program have at most N threads beside its first; default 1024")
    static let maxDescriptors = Option(
        "max-descriptors", value: "N",
        help: "Let the program have at most N files, folders and sockets open; default is three "
            + "quarters of what wasmd may open ('ulimit -n')")
    static let sandbox = Option(
        "sandbox", value: "MODE", .word(.sandbox), isValueOptional: true,
        help: "Before the program runs, let the kernel refuse all that wasmd does not need: files "
            + "outside of the program's folders, other programs, new sockets (Landlock and "
            + "seccomp). A line on standard error says what the kernel enforces; what it does not "
            + "have is left out, and with 'strict' the program does not run then")
    static let noSandbox = Option(
        "no-sandbox",
        help:
            "Serve without the kernel's restrictions, which otherwise hold as far as the kernel has "
            + "them")
    static let deterministic = Option(
        "deterministic",
        help: "Let every run see the same clock, random numbers and NaNs; without threads")
    static let features = Option(
        "features", value: "LIST", .word(.features),
        help: "What modules may use: names with + or -, after a base if there is one, for "
            + "example wasm2,+tail-calls. Bases are default, all, wasm1, wasm2 and wasm3")
    static let output = Option(
        "output", letter: "o", value: "OUT", .file,
        help: "Write to the file OUT; - is standard output")
    static let server = Option(
        "server", value: "SERVER", .folder,
        help: "Speak to SERVER: http://HOST:PORT, unix:PATH, or a data folder; default is the "
            + "socket of wasmd-data")
    static let tokenFile = Option(
        "token-file", value: "FILE", .file, help: "Show the server the token in FILE")
    static let callFunction = Option(
        "function", value: "NAME",
        help: "The function: that put notes to be run, or that run calls")
    static let follow = Option("follow", letter: "f", help: "logs: go on with each new line")
    static let runID = Option("run", value: "RUN", help: "logs: the lines of one run")
    static let recent = Option(
        "recent", value: "N", help: "logs: begin with the last N lines; default 100")
    static let ofModule = Option("module", value: "NAME", help: "runs: those of one module")
    static let seconds = Option(
        "seconds", value: "N", help: "profile: look for N seconds, at most 300; default 5")
    static let profileForm = Option(
        "form", value: "FORM", .word(.profileForms),
        help: "profile: 'flamegraph' (SVG, the default) or 'firefox' for profiler.firefox.com")
    static let count = Option("count", value: "N", help: "End after N seconds")
    static let undo = Option("undo", help: "drain: end it")
    static let onServer = Option(
        "on-server",
        help: "backup: let the server write FOLDER, in a place where it has the right to")
    static let fold = Option(
        "fold", letter: "f", help: "Put operands into the parentheses of their instruction")
    static let offsets = Option(
        "offsets", help: "Say before each instruction where it stands in the file")
    static let noPadding = Option(
        "no-padding",
        help: "Do not say where numbers are longer than need be: the text is shorter, and the "
            + "module that it gives is smaller")
    static let noNames = Option("no-names", help: "Leave the name section out")
    static let generateNames = Option(
        "generate-names", help: "Make up names for what has none")
    static let noCheck = Option("no-check", help: "Do not refuse a module that is not valid")
    static let stats = Option(
        "stats", help: "Print sizes, times and counts to standard error at the end")
    static let profile = Option(
        "profile", value: "OUT", .file,
        help: "Look every millisecond at what the program does, and write a profile for "
            + "profiler.firefox.com to OUT")
    static let flamegraph = Option(
        "flamegraph", value: "OUT", .file,
        help: "The same as a picture: write a flame graph (SVG) to OUT")
    static let coverage = Option(
        "coverage", value: "OUT", .file,
        help: "Count which lines of its source ran, or which functions if it has no debug "
            + "information, and write them for lcov to OUT")
    static let jobs = Option("jobs", value: "N", help: "Run N scripts at the same time; default 1")
    static let eager = Option(
        "eager", help: "Translate all functions of a module before it is used")
    static let stress = Option(
        "stress", help: "Collect garbage at every allocation")
    static let canonicalNaNs = Option(
        "canonical-nans", help: "Give the canonical NaN where an operation may choose one")
    static let commandFuel = Option(
        "fuel", value: "N", help: "Stop a command after N backward branches and calls")
    static let commandTimeout = Option(
        "timeout", value: "DURATION", help: "Stop a command after this time, for example 10s")
    static let print = Option(
        "print", help: "Write what the functions of module 'spectest' print to standard error")
    static let everyFailure = Option(
        "all-failures", help: "Print every failure, not only the first ten of a script")
    static let counts = Option(
        "counts", help: "Print name, commands and assertions of each script, separated by tabs")
    static let table = Option(
        "table", help: "Print a table in Markdown, with a row for each folder")
    static let json = Option("json", help: "Print JSON")
    static let verbose = Option(
        "verbose", letter: "v", help: "Print a line for valid modules too")
}
