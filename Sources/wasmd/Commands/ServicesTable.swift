// The part of the list of commands that is about services.

extension Command {
    static let services = Command(
        verb: .services,
        summary: "Run the modules of a solution as services",
        operands: [
            CommandOperand("VERB", .optional, .word(.serviceVerbs)),
            CommandOperand("NAME", .optional),
        ],
        options: [
            .servicesRoot, .gatewayHost, .serverAddress, .nativeServer, .maxSessions,
            .restartLimit, .serviceMemory, .serviceDescriptors, .loops, .sandbox, .noSandbox,
            .follow,
            .server, .tokenFile, .json,
            .help,
        ],
        notes: [
            "Runs three modules: server_module, which gets the listening socket ADDR as descriptor 4, "
                + "then gateway_module, which may send HTTP requests to the host of URL, then "
                + "telemetry_module. Each gets DIR as '.', descriptor 3, and its init is called with "
                + "the path ./X_module/config.toml. The others start when the server accepts.",
            "The binary of X_module is looked for in DIR/X_module/target/wasm32-wasi/release and "
                + "debug, then in DIR/modules/X_module/target/wasm32-wasi/release and debug; then "
                + "'.' is DIR/modules.",
            "What modules say by loginfo goes to standard output, what they print themselves to "
                + "the stream that they chose. A module that fails is started again after a pause "
                + "of half a second, which doubles up to 30 seconds; the others go on.",
            "list, logs NAME (with --follow until Ctrl-C), restart NAME: see and restart the services of a server that runs "
                + "([service.NAME] of its configuration), through its admin interface.",
            "SIGHUP starts all modules again, with their files read anew. SIGTERM and Ctrl-C end "
                + "all.",
        ],
        examples: [
            (
                "wasmd services --root . -g http://127.0.0.1:9000 -s 127.0.0.1:8080",
                "the modules of this folder"
            ), ("wasmd services list --server http://127.0.0.1:8080", "those of a server"),
        ])
}

extension Option {
    static let servicesRoot = Option(
        "root", value: "DIR", .folder,
        help: "The folder of the solution; default is the current one")
    static let gatewayHost = Option(
        "gateway-allowed-host", letter: "g", value: "URL", repeats: true,
        help: "Let the gateway send requests to the host of URL, at any port. A host without a "
            + "scheme is accepted; insecure:allow-all allows every host. May be repeated")
    static let serverAddress = Option(
        "server-socket-address", letter: "s", value: "ADDR",
        help: "Listen at ADDR for the server, and send it messages there: 127.0.0.1:8080, "
            + "[::1]:8080 or 0.0.0.0:8080")
    static let nativeServer = Option(
        "native-server",
        help: "Let the host keep the messages itself, instead of server_module: at ADDR, with the "
            + "same protocol. Its topics are those of server_module/config.toml, if it is there")
    static let maxSessions = Option(
        "max-sessions", value: "N",
        help: "Let a module have at most N responses open; default 42")
    static let restartLimit = Option(
        "restart-limit", value: "N",
        help: "Start a module that fails at most N times again, unless it ran for five minutes in "
            + "between; default 100")
    static let serviceMemory = Option(
        "max-memory", value: "SIZE",
        help: "Let a module take at most SIZE, for example 64MiB; default 256MiB")
    static let serviceDescriptors = Option(
        "max-descriptors", value: "N",
        help: "Let a module have at most N descriptors open; default 1024 or less")
    static let allowHost = Option(
        "allow-host", value: "URL", repeats: true,
        help: "Let the program send HTTP requests to the host of URL through "
            + "wasi_experimental_http: http://HOST for every port of HOST, HOST:PORT for one, * "
            + "for every public host. Private addresses need their own name. May be repeated")
}
