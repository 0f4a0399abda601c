// swift-tools-version: 6.1
import PackageDescription

/// A program that connects through a transport module:
///
///     swift run --package-path Examples/Transports transports plain.wasm 127.0.0.1:7700
let package = Package(
    name: "transports",
    dependencies: [.package(name: "wasmd", path: "../..")],
    targets: [
        .executableTarget(
            name: "transports", dependencies: [.product(name: "WasmdWATM", package: "wasmd")],
            path: "Sources")
    ],
    swiftLanguageModes: [.v6]
)
