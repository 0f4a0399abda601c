// swift-tools-version: 6.2
import PackageDescription

/// Looks names up for `Scripts/compare-names`.
let package = Package(
    name: "names",
    dependencies: [.package(name: "wasmd", path: "../..")],
    targets: [
        .executableTarget(
            name: "names", dependencies: [.product(name: "WasmdEventLoop", package: "wasmd")])
    ],
    swiftLanguageModes: [.v6]
)
