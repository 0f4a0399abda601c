// swift-tools-version: 6.2
import PackageDescription

/// What rooms of the hosts are built with.
let settings: [SwiftSetting] = [
    .strictMemorySafety(), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Measures the HTTP rooms, damages what they read, and speaks with other implementations over pipes
/// and sockets. The folders of `Sources` are links to the rooms, so that nothing else of the engine is
/// built.
let package = Package(
    name: "http-tool",
    targets: [
        .target(name: "WasmSystem", path: "Sources/WasmSystem"),
        .target(
            name: "WasmdHTTP", path: "Sources/WasmdHTTP",
            swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "WasmdEventLoop", dependencies: ["WasmSystem"], path: "Sources/WasmdEventLoop",
            swiftSettings: settings),
        .target(
            name: "WasmdHTTPServer", dependencies: ["WasmSystem", "WasmdEventLoop", "WasmdHTTP"],
            path: "Sources/WasmdHTTPServer", swiftSettings: settings),
        .target(
            name: "WasmdHTTPClient", dependencies: ["WasmSystem", "WasmdEventLoop", "WasmdHTTP"],
            path: "Sources/WasmdHTTPClient", swiftSettings: settings),
        .executableTarget(
            name: "http-tool",
            dependencies: [
                "WasmSystem", "WasmdEventLoop", "WasmdHTTP", "WasmdHTTPServer", "WasmdHTTPClient",
            ],
            path: "Sources/http-tool"),
    ],
    swiftLanguageModes: [.v6]
)
