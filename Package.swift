// swift-tools-version: 6.2
import PackageDescription

// Settings of every target. Warnings are errors where the caller asks for it (continuous integration does), so that a
// newer compiler's new warning never keeps a user from building.
var common: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
if Context.environment["QSMFLOW_STRICT"] == "1" {
    common.append(.treatAllWarnings(as: .error))
}

// The compute half is optimised in debug builds too: a kernel at -Onone is some fifty times slower, and the tests run
// whole volumes. Whole-module, because a debug build otherwise compiles file by file and inlines nothing across files;
// with several output files (-num-threads), because the index store of debug builds needs one per source file.
let fast = ["-O", "-wmo", "-num-threads", "2"]
let optimised = common + [.unsafeFlags(fast)]

// One kernel source, compiled once per instruction set level; `Kernels` picks at run time.
#if arch(x86_64)
    let v3 =
        common + [
            .define("QSM_FMA"), .define("QSM_V3"), .unsafeFlags(fast + ["-Xcc", "-march=x86-64-v3"]),
        ]
    let v4 =
        common + [
            .define("QSM_FMA"), .define("QSM_V4"), .unsafeFlags(fast + ["-Xcc", "-march=x86-64-v4"]),
        ]
#else
    let v3 = optimised
    let v4 = optimised
#endif

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "qsmflow",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "qsmflow", targets: ["qsmflow"]),
        .executable(name: "qsmflow-benchmarks", targets: ["Benchmarks"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The two floors.
        .target(name: "Workflow", dependencies: ["BIDS", "Yams", crypto], swiftSettings: common),
        .target(
            name: "Kernels", dependencies: ["CProcessor", "KernelsBase", "KernelsV3", "KernelsV4"],
            swiftSettings: optimised),
        .target(name: "KernelsBase", swiftSettings: optimised),
        .target(name: "KernelsV3", swiftSettings: v3),
        .target(name: "KernelsV4", swiftSettings: v4),

        // Compute half.
        .target(name: "NIfTI", dependencies: ["Kernels", "CNIfTI"], swiftSettings: optimised),
        .target(name: "Registration", dependencies: ["Kernels"], swiftSettings: optimised),
        .target(name: "Segmentation", dependencies: ["Kernels"], swiftSettings: optimised),
        .target(name: "Networks", dependencies: ["Kernels"], swiftSettings: optimised),
        // Other people's networks, apart so that only this depends on the format's library.
        .target(
            name: "ONNX", dependencies: ["Kernels", "Networks", protobuf], exclude: ["Schema/onnx_model.proto"],
            swiftSettings: optimised),
        .target(name: "Radiomics", dependencies: ["Kernels"], swiftSettings: optimised),
        .target(name: "Statistics", dependencies: ["Kernels"], swiftSettings: optimised),
        .target(name: "Pictures", dependencies: ["Kernels", "CPNG"], swiftSettings: optimised),
        .target(name: "Phantom", dependencies: ["BIDS", "Kernels", "NIfTI"], swiftSettings: optimised),
        .target(
            name: "Tasks",
            dependencies: [
                "BIDS", "CSpawn", "Kernels", "NIfTI", "Networks", "Pictures", "Radiomics", "Registration",
                "Segmentation",
                "Statistics",
                "Workflow",
            ],
            swiftSettings: optimised),

        // Control half.
        .target(name: "BIDS", dependencies: [crypto], swiftSettings: common),
        .target(name: "Wire", dependencies: ["Workflow"], swiftSettings: common),
        .target(name: "Artifacts", dependencies: ["Workflow", crypto], swiftSettings: common),
        .target(name: "Postgres", dependencies: ["CLibpq"], swiftSettings: common),
        .target(name: "LocalPostgres", dependencies: ["CSpawn"], swiftSettings: common),
        .target(
            name: "CoordinatorClient", dependencies: ["CCurl", "Wire", "Workflow", crypto], swiftSettings: common),
        .target(
            name: "Coordinator",
            dependencies: [
                "Artifacts", "BIDS", "CResources", "Postgres", "Wire", "Workflow", crypto, lifecycle,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            // SQL files are embedded by the C target CResources.
            exclude: ["Migrations/SQL"], swiftSettings: common),
        .target(
            name: "Worker",
            dependencies: [
                "Artifacts", "BIDS", "CSpawn", "CoordinatorClient", "Wire", "Workflow", lifecycle,
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: common),

        // The program.
        .executableTarget(
            name: "qsmflow",
            dependencies: [
                "Artifacts", "BIDS", "CSpawn", "Coordinator", "CoordinatorClient", "Kernels", "LocalPostgres",
                "Networks", "ONNX", "Phantom", "Postgres", "Radiomics", "Report", "Tasks", "Wire", "Worker", "Workflow",
                lifecycle,
                unixSignals,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: common),
        .executableTarget(
            name: "Benchmarks", dependencies: ["Kernels", "Networks", "ONNX", "Radiomics", "Registration"],
            swiftSettings: optimised),
        .target(name: "Report", dependencies: ["Statistics"], swiftSettings: common),

        // C libraries and small C shims.
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CCurlLibrary", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CCurl", dependencies: ["CCurlLibrary"]),
        // Debian's NIfTI library has no pkg-config file.
        .target(
            name: "CNIfTI",
            linkerSettings: [.linkedLibrary("nifti2"), .linkedLibrary("znz"), .linkedLibrary("z")]),
        .target(name: "CProcessor"),
        .target(name: "CSpawn"),
        .target(name: "CResources"),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["Kernels", "LocalPostgres", "Postgres"], path: "Tests/TestSupport",
            swiftSettings: optimised),
        .testTarget(name: "KernelsTests", dependencies: ["Kernels", "TestSupport"], swiftSettings: optimised),
        .testTarget(
            name: "RegistrationTests", dependencies: ["Kernels", "Registration", "TestSupport"],
            swiftSettings: optimised),
        .testTarget(
            name: "NetworksTests", dependencies: ["Kernels", "Networks", "TestSupport"], swiftSettings: optimised),
        .testTarget(
            name: "ONNXTests", dependencies: ["Kernels", "Networks", "ONNX", "TestSupport", protobuf],
            swiftSettings: optimised),
        .testTarget(
            name: "ImagingTests",
            dependencies: ["Kernels", "NIfTI", "Pictures", "Radiomics", "Segmentation", "TestSupport"],
            swiftSettings: optimised),
        .testTarget(
            name: "RadiomicsTests", dependencies: ["Kernels", "NIfTI", "Radiomics", "TestSupport"],
            swiftSettings: optimised),
        .testTarget(name: "StatisticsTests", dependencies: ["Statistics", "TestSupport"], swiftSettings: optimised),
        .testTarget(
            name: "PhantomTests", dependencies: ["BIDS", "Kernels", "NIfTI", "Phantom", "TestSupport"],
            swiftSettings: optimised),
        .testTarget(
            name: "TasksTests",
            dependencies: [
                "BIDS", "Kernels", "NIfTI", "Networks", "Radiomics", "Tasks", "TestSupport", "Workflow",
            ],
            swiftSettings: optimised),
        .testTarget(name: "BIDSTests", dependencies: ["BIDS", "TestSupport"], swiftSettings: common),
        .testTarget(name: "WorkflowTests", dependencies: ["BIDS", "TestSupport", "Workflow"], swiftSettings: common),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "Artifacts", "BIDS", "Coordinator", "CoordinatorClient", "Postgres", "TestSupport", "Wire", "Worker",
                "Workflow", lifecycle,
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: common),
        .testTarget(
            name: "PostgresTests", dependencies: ["CSpawn", "LocalPostgres", "Postgres", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "CoordinatorTests",
            dependencies: [
                "Artifacts", "BIDS", "Coordinator", "LocalPostgres", "Postgres", "TestSupport", "Wire", "Workflow",
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ],
            swiftSettings: common),
        .testTarget(
            name: "ReportTests", dependencies: ["Report", "TestSupport"], swiftSettings: common),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "BIDS", "CoordinatorClient", "Kernels", "NIfTI", "Report", "TestSupport", "Wire", "Workflow", "qsmflow",
            ],
            swiftSettings: common),
    ],
    swiftLanguageModes: [.v6]
)
