// swift-tools-version: 6.2
import PackageDescription

/// The house, one line a room; an arrow of `docs/architecture.md` is a dependency here.
let package = Package(
    name: "wasmd",
    products: [
        .library(name: "Wasmd", targets: ["Wasmd"]),
        .library(name: "WasmdDocuments", targets: ["WasmdDocuments"]),
        // Transports as modules, with what a program needs to use them.
        .library(
            name: "WasmdWATM",
            targets: ["WasmdWATM", "WasmdGuests", "WasmdEventLoop", "WasmInterpreter"]),
        .executable(name: "wasmd", targets: ["wasmd"]),
        // The rooms one by one, for the programs in `Benchmarks` and `Tests/Mutations`. What is public in
        // them and not brought along by `Wasmd` may change with each version.
        .library(
            name: "WasmdRooms",
            targets: ["WasmDecoder", "WasmValidator", "WasmInterpreter", "WasmText", "WasmWASI"]),
        .library(
            name: "WasmdHostRooms",
            targets: [
                "WasmSystem", "WasmdDigests", "WasmdDocuments", "WasmdEventLoop", "WasmdHTTP",
                "WasmdHTTPServer", "WasmdHTTPClient", "WasmdGuests", "WasmdStorage", "WasmdWATM",
                "WasmdBroker",
            ]),
    ],
    targets: [
        // The only room that imports the C library.
        .target(
            name: "WasmSystem", path: "Sources/System", swiftSettings: [.strictMemorySafety()]),
        .target(name: "WasmDecoder", dependencies: ["WasmSystem"], path: "Sources/Decoder"),
        .target(
            name: "WasmValidator", dependencies: ["WasmDecoder", "WasmSystem"],
            path: "Sources/Validator"),
        .target(name: "WasmDebugInfo", dependencies: ["WasmDecoder"], path: "Sources/DebugInfo"),
        .target(name: "WasmMachine", path: "Sources/Machine"),
        .target(
            name: "WasmInterpreter",
            dependencies: [
                "WasmDecoder", "WasmDebugInfo", "WasmMachine", "WasmSystem", "WasmValidator",
            ],
            path: "Sources/Interpreter"),
        .target(
            name: "WasmWASI", dependencies: ["WasmInterpreter", "WasmSystem"], path: "Sources/WASI"),
        .target(
            name: "WasmText", dependencies: ["WasmDecoder", "WasmSystem"], path: "Sources/Text"),
        .target(
            name: "WasmScriptRunner",
            dependencies: ["WasmText", "WasmValidator", "WasmInterpreter", "WasmSystem"],
            path: "Sources/ScriptRunner"),
        .target(
            name: "WasmdDocuments", path: "Sources/Hosts/Documents",
            swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "WasmdDigests", path: "Sources/Hosts/Digests",
            swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "WasmdHTTP", path: "Sources/Hosts/HTTP",
            swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "WasmdEventLoop", dependencies: ["WasmSystem"], path: "Sources/Hosts/EventLoop",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdHTTPServer", dependencies: ["WasmdEventLoop", "WasmdHTTP", "WasmSystem"],
            path: "Sources/Hosts/HTTPServer",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdHTTPClient", dependencies: ["WasmdEventLoop", "WasmdHTTP", "WasmSystem"],
            path: "Sources/Hosts/HTTPClient",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdStorage", dependencies: ["WasmSystem", "WasmdDigests", "WasmdEventLoop"],
            path: "Sources/Hosts/Storage",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdBroker",
            dependencies: [
                "WasmSystem", "WasmdDocuments", "WasmdEventLoop", "WasmdGuests", "WasmdHTTP",
                "WasmdHTTPServer", "WasmdOperation", "WasmdStorage",
            ],
            path: "Sources/Hosts/Broker",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdImages", dependencies: ["WasmSystem"], path: "Sources/Hosts/Images",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdGuests",
            dependencies: [
                "WasmInterpreter", "WasmWASI", "WasmSystem", "WasmdDigests", "WasmdEventLoop",
            ],
            path: "Sources/Hosts/Guests",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdPrograms",
            dependencies: [
                "WasmInterpreter", "WasmWASI", "WasmSystem", "WasmdDigests", "WasmdEventLoop",
                "WasmdGuests", "WasmdHTTP", "WasmdHTTPServer",
            ],
            path: "Sources/Hosts/Programs",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdOperation",
            dependencies: [
                "WasmInterpreter", "WasmSystem", "WasmdDigests", "WasmdDocuments", "WasmdEventLoop",
                "WasmdGuests", "WasmdHTTP", "WasmdHTTPClient", "WasmdHTTPServer", "WasmdStorage",
            ],
            path: "Sources/Hosts/Operation",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdExecutor",
            dependencies: [
                "WasmInterpreter", "WasmWASI", "WasmSystem", "WasmdDigests", "WasmdDocuments",
                "WasmdEventLoop", "WasmdGuests", "WasmdHTTP", "WasmdHTTPServer", "WasmdOperation",
                "WasmdStorage",
            ],
            path: "Sources/Hosts/Executor",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdConsole",
            dependencies: ["WasmdEventLoop", "WasmdHTTP", "WasmdHTTPServer", "WasmdOperation"],
            path: "Sources/Hosts/Console", exclude: ["Page"],
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdDiscovery", dependencies: ["WasmSystem", "WasmdEventLoop"],
            path: "Sources/Hosts/Discovery",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdWasmiot",
            dependencies: [
                "WasmSystem", "WasmdDiscovery", "WasmdDocuments", "WasmdEventLoop", "WasmdHTTP",
            ],
            path: "Sources/Hosts/Wasmiot",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdSupervisor",
            dependencies: [
                "WasmInterpreter", "WasmWASI", "WasmSystem", "WasmdDigests", "WasmdDocuments",
                "WasmdEventLoop", "WasmdGuests", "WasmdHTTP", "WasmdHTTPClient",
                "WasmdHTTPServer", "WasmdOperation", "WasmdStorage", "WasmdWasmiot",
            ],
            path: "Sources/Hosts/Supervisor",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdModules",
            dependencies: [
                "WasmInterpreter", "WasmSystem", "WasmdDigests", "WasmdDocuments",
                "WasmdDiscovery", "WasmdEventLoop", "WasmdGuests", "WasmdHTTP", "WasmdHTTPClient",
                "WasmdHTTPServer", "WasmdOperation", "WasmdStorage", "WasmdWasmiot",
            ],
            path: "Sources/Hosts/Modules",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdOthismo",
            dependencies: [
                "WasmDecoder", "WasmInterpreter", "WasmWASI", "WasmSystem", "WasmdDigests",
                "WasmdDocuments", "WasmdEventLoop", "WasmdGuests", "WasmdHTTP",
                "WasmdHTTPServer", "WasmdImages", "WasmdOperation",
            ],
            path: "Sources/Hosts/Othismo",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdWATM",
            dependencies: [
                "WasmInterpreter", "WasmWASI", "WasmSystem", "WasmdDocuments", "WasmdEventLoop",
                "WasmdGuests",
            ],
            path: "Sources/Hosts/WATM",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        .target(
            name: "WasmdServices",
            dependencies: [
                "WasmInterpreter", "WasmWASI", "WasmSystem", "WasmdBroker", "WasmdDigests",
                "WasmdDocuments", "WasmdEventLoop", "WasmdGuests", "WasmdHTTP", "WasmdHTTPClient",
                "WasmdOperation", "WasmdStorage",
            ],
            path: "Sources/Hosts/Services",
            swiftSettings: [
                .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]),
        // What embedders import; the command line uses the rooms themselves.
        .target(
            name: "Wasmd",
            dependencies: [
                "WasmDecoder", "WasmDebugInfo", "WasmValidator", "WasmInterpreter", "WasmText",
                "WasmWASI",
            ],
            path: "Sources/Embedding"),
        .executableTarget(
            name: "wasmd",
            dependencies: [
                "WasmDecoder", "WasmValidator", "WasmInterpreter", "WasmWASI", "WasmText",
                "WasmScriptRunner", "WasmMachine", "WasmSystem", "WasmdBroker", "WasmdConsole",
                "WasmdDigests",
                "WasmdDiscovery", "WasmdDocuments", "WasmdEventLoop", "WasmdGuests", "WasmdHTTP",
                "WasmdHTTPClient", "WasmdHTTPServer", "WasmdOperation", "WasmdExecutor",
                "WasmdImages", "WasmdModules", "WasmdOthismo", "WasmdPrograms", "WasmdStorage",
                "WasmdServices", "WasmdSupervisor", "WasmdWATM", "WasmdWasmiot",
            ],
            path: "Sources/wasmd"),

        // The register instruction set is data; the generator turns it into the machine's handlers.
        .target(name: "WasmInstructionSet", path: "Sources/InstructionSet"),
        .executableTarget(
            name: "generate-instructions", dependencies: ["WasmInstructionSet", "WasmSystem"],
            path: "Sources/GenerateInstructions"),

        // A process that restricts itself and then misbehaves, for the tests of the system room.
        .executableTarget(
            name: "confinement-probe", dependencies: ["WasmSystem"],
            path: "Tests/ConfinementProbe"),
        .testTarget(
            name: "SystemTests", dependencies: ["WasmSystem", "confinement-probe"],
            path: "Tests/SystemTests"),
        .testTarget(
            name: "DecoderTests", dependencies: ["WasmDecoder"], path: "Tests/DecoderTests"),
        .testTarget(
            name: "DebugInfoTests", dependencies: ["WasmDebugInfo", "WasmDecoder"],
            path: "Tests/DebugInfoTests"),
        .testTarget(name: "TextTests", dependencies: ["WasmText"], path: "Tests/TextTests"),
        .testTarget(
            name: "ValidatorTests", dependencies: ["WasmValidator"], path: "Tests/ValidatorTests"),
        .testTarget(
            name: "InterpreterTests",
            dependencies: [
                "WasmInterpreter", "WasmInstructionSet", "WasmMachine", "WasmSystem", "WasmText",
            ],
            path: "Tests/InterpreterTests"),
        .testTarget(
            name: "HostileTests", dependencies: ["WasmInterpreter", "WasmText", "WasmWASI"],
            path: "Tests/HostileTests"),
        .testTarget(
            name: "EmbeddingTests", dependencies: ["Wasmd"], path: "Tests/EmbeddingTests"),
        .testTarget(
            name: "ScriptRunnerTests", dependencies: ["WasmScriptRunner", "WasmDecoder"],
            path: "Tests/ScriptRunnerTests"),
        .testTarget(
            name: "WASITests", dependencies: ["WasmMachine", "WasmWASI", "WasmSystem", "WasmText"],
            path: "Tests/WASITests"),
        .testTarget(
            name: "DigestsTests", dependencies: ["WasmdDigests"], path: "Tests/DigestsTests"),
        .testTarget(name: "HTTPTests", dependencies: ["WasmdHTTP"], path: "Tests/HTTPTests"),
        .testTarget(
            name: "EventLoopTests", dependencies: ["WasmdEventLoop", "WasmSystem"],
            path: "Tests/EventLoopTests"),
        .testTarget(
            name: "GuestsTests",
            dependencies: [
                "WasmInterpreter", "WasmdDigests", "WasmdEventLoop", "WasmdGuests", "WasmSystem",
                "WasmText", "WasmWASI",
            ],
            path: "Tests/GuestsTests"),
        .testTarget(
            name: "ProgramsTests",
            dependencies: [
                "WasmInterpreter", "WasmText", "WasmWASI", "WasmdEventLoop", "WasmdGuests",
                "WasmdHTTP", "WasmdHTTPClient", "WasmdHTTPServer", "WasmdPrograms",
            ],
            path: "Tests/ProgramsTests"),
        .testTarget(
            name: "OperationTests",
            dependencies: [
                "WasmSystem", "WasmdDigests", "WasmdDocuments", "WasmdEventLoop", "WasmdGuests",
                "WasmdHTTP",
                "WasmdHTTPClient", "WasmdHTTPServer", "WasmdOperation",
            ],
            path: "Tests/OperationTests"),
        .testTarget(
            name: "ExecutorTests",
            dependencies: [
                "WasmText", "WasmdDocuments", "WasmdEventLoop", "WasmdExecutor", "WasmdHTTP",
                "WasmdHTTPClient", "WasmdHTTPServer", "WasmdOperation", "WasmdStorage",
            ],
            path: "Tests/ExecutorTests"),
        // A process that advertises and browses, for `Scripts/compare-mdns`.
        .executableTarget(
            name: "discovery-probe",
            dependencies: ["WasmSystem", "WasmdEventLoop", "WasmdDiscovery"],
            path: "Tests/DiscoveryProbe"),
        .testTarget(
            name: "DiscoveryTests",
            dependencies: ["WasmSystem", "WasmdEventLoop", "WasmdDiscovery"],
            path: "Tests/DiscoveryTests"),
        .testTarget(
            name: "WasmiotTests",
            dependencies: [
                "WasmdDiscovery", "WasmdDocuments", "WasmdEventLoop", "WasmdWasmiot", "WasmSystem",
            ],
            path: "Tests/WasmiotTests"),
        .testTarget(
            name: "SupervisorTests",
            dependencies: [
                "WasmText", "WasmSystem", "WasmdDocuments", "WasmdEventLoop",
                "WasmdHTTP", "WasmdHTTPClient", "WasmdHTTPServer", "WasmdOperation",
                "WasmdStorage", "WasmdSupervisor", "WasmdWasmiot",
            ],
            path: "Tests/SupervisorTests", exclude: ["Fixtures"]),
        .testTarget(
            name: "ModulesTests",
            dependencies: [
                "WasmText", "WasmdDigests", "WasmdDocuments", "WasmdEventLoop", "WasmdHTTP",
                "WasmdHTTPClient", "WasmdHTTPServer", "WasmdModules", "WasmdOperation",
                "WasmdStorage", "WasmdWasmiot",
            ],
            path: "Tests/ModulesTests", exclude: ["Recorded"]),
        .testTarget(
            name: "OthismoTests",
            dependencies: [
                "WasmDecoder", "WasmInterpreter", "WasmText", "WasmdDocuments", "WasmdEventLoop",
                "WasmdGuests", "WasmdImages", "WasmdOthismo",
            ],
            path: "Tests/OthismoTests", exclude: ["Guests"]),
        .testTarget(
            name: "WATMTests",
            dependencies: [
                "WasmInterpreter", "WasmSystem", "WasmText", "WasmWASI", "WasmdDocuments",
                "WasmdEventLoop", "WasmdGuests", "WasmdWATM",
            ],
            path: "Tests/WATMTests"),
        .testTarget(
            name: "ServicesTests",
            dependencies: [
                "WasmInterpreter", "WasmSystem", "WasmText", "WasmWASI", "WasmdBroker",
                "WasmdEventLoop", "WasmdGuests", "WasmdHTTP", "WasmdOperation", "WasmdServices",
                "WasmdStorage",
            ],
            path: "Tests/ServicesTests"),
        .testTarget(
            name: "BrokerTests",
            dependencies: [
                "WasmSystem", "WasmdBroker", "WasmdEventLoop", "WasmdHTTPServer", "WasmdStorage",
            ],
            path: "Tests/BrokerTests"),
        .testTarget(
            name: "HTTPServerTests",
            dependencies: ["WasmdEventLoop", "WasmdHTTP", "WasmdHTTPServer", "WasmSystem"],
            path: "Tests/HTTPServerTests"),
        .testTarget(
            name: "HTTPClientTests",
            dependencies: [
                "WasmdEventLoop", "WasmdHTTP", "WasmdHTTPClient", "WasmdHTTPServer", "WasmSystem",
                "confinement-probe",
            ],
            path: "Tests/HTTPClientTests"),
        // A process that is killed while it writes, for the tests of the store.
        .executableTarget(
            name: "storage-probe", dependencies: ["WasmSystem", "WasmdStorage"],
            path: "Tests/StorageProbe", swiftSettings: [.strictMemorySafety()]),
        .testTarget(
            name: "StorageTests",
            dependencies: [
                "WasmSystem", "WasmdDigests", "WasmdEventLoop", "WasmdStorage", "storage-probe",
            ],
            path: "Tests/StorageTests"),
        // A process that is killed while it writes an image.
        .executableTarget(
            name: "image-probe", dependencies: ["WasmSystem", "WasmdImages"],
            path: "Tests/ImageProbe", swiftSettings: [.strictMemorySafety()]),
        .testTarget(
            name: "ImagesTests", dependencies: ["WasmSystem", "WasmdImages", "image-probe"],
            path: "Tests/ImagesTests"),
        // A process that runs the instances of an image, to be killed and measured.
        .executableTarget(
            name: "othismo-probe",
            dependencies: [
                "WasmDecoder", "WasmInterpreter", "WasmSystem", "WasmdDocuments", "WasmdImages",
                "WasmdOthismo",
            ],
            path: "Tests/OthismoProbe", swiftSettings: [.strictMemorySafety()]),
        .testTarget(
            name: "DocumentsTests", dependencies: ["WasmdDocuments"],
            path: "Tests/DocumentsTests"),
        .testTarget(
            name: "wasmdTests",
            dependencies: ["wasmd", "WasmText", "WasmdDocuments", "WasmdStorage"],
            path: "Tests/wasmdTests"),
    ],
    swiftLanguageModes: [.v6]
)
