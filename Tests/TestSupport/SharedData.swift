import Foundation

/// Real data that lies beside the project on some machines. Tests that need it are skipped by name where it is absent.
package enum SharedData {
    package static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data").path

    package static func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder + "/" + name) }

    package static func path(_ name: String) -> String { folder + "/" + name }
}
