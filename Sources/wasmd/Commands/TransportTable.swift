// The part of the list of commands that is about transports.

extension Command {
    static let watm = Command(
        verb: .watm,
        summary: "Carry connections through transports (WATM modules)",
        operands: [
            CommandOperand("VERB", .one, .word(.transportVerbs)),
            CommandOperand("FILE", .any, .module),
        ],
        options: [
            .transportModule, .transportListen, .remote, .guestConfig, .hostConfig, .allow,
            .guestArgument, .env, .envInherit, .dir, .entry, .halfClose, .frameDatagrams,
            .datagramIdle,
            .maxConnections,
            .transportTimeout, .startTimeout, .connectTimeout, .runMaxMemory, .transportStack,
            .transportFuel, .transportDescriptors, .trace, .loops, .features, .json,
            .sandbox, .noSandbox, .transportWasm, .transportLaddr, .transportRaddr, .help,
        ],
        notes: [
            "dial: takes connections of applications at --listen, and carries them through the "
                + "transport to --remote. Without --listen the one connection is standard input and "
                + "output. listen: takes connections through the transport at --listen, and carries "
                + "them in clear to --remote. relay: takes them through the transport, and carries "
                + "them on through it. run: calls the entry of a transport that dials and listens by "
                + "itself.",
            "validate FILE: says which version of the interface a module has, which roles, and what "
                + "is wrong with it; ends with 1 if it cannot be used.",
            "Each connection has an instance of the module of its own. A guest that fails costs its "
                + "connection, and a line on standard error. SIGHUP reads modules and configurations "
                + "again: new connections get the new ones, old ones go on. SIGTERM and Ctrl-C cancel "
                + "all connections; a guest that is not finished after a second is stopped.",
            "What guests print goes to standard error. With --json standard output gets an object for "
                + "each connection that ended, and one with all counts at the end.",
            "The kernel refuses the process what it does not need, as far as the kernel can: files "
                + "outside of the folders of its modules, configurations and guests, other programs, "
                + "further listeners. --no-sandbox lets that be.",
        ],
        examples: [
            (
                "wasmd watm dial --module a.wasm --listen 127.0.0.1:7000 --remote 10.0.0.7:443",
                "for applications on this machine"
            ),
            (
                "wasmd watm listen --module a.wasm --listen 0.0.0.0:443 --remote 127.0.0.1:80",
                "the other side"
            ),
            (
                "wasmd watm dial --module a.wasm --module b.wasm --remote 10.0.0.7:443",
                "through a, then b, for standard input"
            ),
            (
                "wasmd watm dial --module d.wasm --listen udp:[::1]:53 --remote udp:[::2]:443",
                "datagrams, with a module that knows them"
            ),
            ("wasmd watm run --module ss_client.wasm --config ss.json", "a module with an entry"),
            ("wasmd watm validate plain.wasm", "what kind of transport is it?"),
        ])
}

extension Option {
    static let transportModule = Option(
        "module", value: "FILE", .module, repeats: true,
        help: "The transport. Given several times, bytes in clear pass all of them in this order")
    static let transportListen = Option(
        "listen", value: "ADDR", repeats: true,
        help: "Take connections at ADDR: 127.0.0.1:8080, [::1]:8080 or unix:PATH; datagrams at "
            + "udp:127.0.0.1:53. For port 0 the system chooses one. May be repeated")
    static let remote = Option(
        "remote", value: "ADDR",
        help:
            "Connect to ADDR for each connection: HOST:PORT, [::1]:PORT, unix:PATH or udp:HOST:PORT. "
            + "Without it a "
            + "guest of v1 or its preview that dials chooses by itself, as far as it is allowed to")
    static let guestConfig = Option(
        "config", value: "FILE", .file,
        help: "Let the guest read FILE as its configuration, whatever it is")
    static let hostConfig = Option(
        "host-config", value: "FILE", .files(["json"]),
        help: "Read the original's configuration of a host from FILE (JSON): module, its "
            + "configuration, listener, address validator, arguments, environment, folders. Options "
            + "go before it")
    static let allow = Option(
        "allow", value: "ADDR", repeats: true,
        help: "Let guests choose ADDR to connect to or to listen at: HOST:PORT, HOST:* or *. What "
            + "the guest's configuration names as remote_address and local_address is allowed. May "
            + "be repeated")
    static let guestArgument = Option(
        "arg", value: "WORD", repeats: true,
        help: "Give the guest an argument; the first is its name. May be repeated")
    static let entry = Option(
        "entry", value: "NAME", help: "run: call the export NAME; default is v1_listen")
    static let halfClose = Option(
        "half-close",
        help: "When one side has stopped sending, let the other go on, also with guests that would "
            + "end the connection: they are told when both have stopped. Always so for standard input"
    )
    static let frameDatagrams = Option(
        "frame-datagrams",
        help: "Carry datagrams of the side in clear in a stream, each with its length before it (2 "
            + "bytes, the high one first), through modules that know streams only; wanted at both ends"
    )
    static let datagramIdle = Option(
        "datagram-idle", value: "DURATION",
        help:
            "Forget a peer that sends datagrams when none has come or gone for this time; default "
            + "60s. One that did not send again after an answer is forgotten after 10s at most")
    static let maxConnections = Option(
        "max-connections", value: "N",
        help: "Carry at most N connections at the same time; more are closed at once; default 10000"
    )
    static let transportTimeout = Option(
        "timeout", value: "DURATION",
        help: "End a connection this long after it began; default is no limit")
    static let startTimeout = Option(
        "start-timeout", value: "DURATION",
        help: "Give a guest this long to start and to connect; default 30s")
    static let connectTimeout = Option(
        "connect-timeout", value: "DURATION",
        help: "Give up connecting to a remote after this time; default 10s")
    static let transportStack = Option(
        "stack-size", value: "SIZE", help: "Room for the calls of a guest; default 1MiB")
    static let transportFuel = Option(
        "fuel", value: "N", help: "Stop a guest after N backward branches and calls")
    static let transportDescriptors = Option(
        "max-descriptors", value: "N",
        help: "Let a guest have at most N descriptors open; default 64")
    static let transportWasm = Option(
        "wasm", value: "FILE", .module, repeats: true, help: "The same as --module")
    static let transportLaddr = Option(
        "laddr", value: "ADDR", repeats: true, help: "The same as --listen")
    static let transportRaddr = Option("raddr", value: "ADDR", help: "The same as --remote")
}
