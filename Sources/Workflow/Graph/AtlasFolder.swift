import BIDS
import Foundation

/// An atlas as it lies on disk: a folder with a T1-weighted image, regions and their names, perhaps a χ map.
package struct AtlasFolder: Hashable, Sendable {
    package var name: String
    package var folder: String
    package var files: [AtlasRole: FileReference]

    package init(name: String, folder: String, files: [AtlasRole: FileReference]) {
        (self.name, self.folder, self.files) = (name, folder, files)
    }

    /// Looks for the files of each role: by plain name (`T1w.nii.gz`), else by suffix (`tpl-X_res-1_T1w.nii.gz`).
    ///
    /// - Throws: when the folder cannot be listed, or two files compete for a role. That a role is missing is for the
    ///   step that wants it to say.
    package static func read(_ reference: AtlasReference) throws(WorkflowError) -> AtlasFolder {
        func fail(_ reason: String) -> WorkflowError {
            .cannotReadAtlas(name: reference.name, folder: reference.folder, reason: reason)
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: reference.folder, isDirectory: &isFolder) else {
            throw fail("there is no such folder; correct the path")
        }
        guard isFolder.boolValue else {
            throw fail("it is a file; name the folder that holds T1w.nii.gz and dseg.nii.gz")
        }
        let listing: [String]
        do {
            listing = try FileManager.default.contentsOfDirectory(atPath: reference.folder).sorted()
        } catch {
            throw fail("the folder cannot be listed (\(SystemReason.of(error))); check its permissions")
        }
        var files: [AtlasRole: FileReference] = [:]
        for role in AtlasRole.allCases {
            guard let name = try pick(role, from: listing, fail: fail) else { continue }
            files[role] = FileReference(
                path: reference.folder + "/" + name, name: name,
                metadata: try sidecar(of: name, in: listing, folder: reference.folder, fail: fail))
        }
        return AtlasFolder(name: reference.name, folder: reference.folder, files: files)
    }

    private static func pick(
        _ role: AtlasRole, from listing: [String], fail: (String) -> WorkflowError
    ) throws(WorkflowError) -> String? {
        let suffix = role == .table ? "dseg" : role.rawValue
        let extensions = role == .table ? [".tsv"] : BIDSQuery.imageExtensions
        let plain = extensions.map { suffix + $0 }.filter(listing.contains)
        let found =
            plain.isEmpty
            ? listing.filter { file in
                // A name that is not BIDS is not a candidate: that is all this `try?` asks.
                guard let name = try? BIDSName(parsing: file) else { return false }
                return name.suffix == suffix && extensions.contains(name.fileExtension)
            } : plain
        if found.count > 1 {
            throw fail("\(found.joined(separator: " and ")) could both be its \(suffix); keep one of them")
        }
        return found.first
    }

    private static func sidecar(
        of name: String, in listing: [String], folder: String, fail: (String) -> WorkflowError
    ) throws(WorkflowError) -> JSONValue? {
        let sidecar = DerivativeName.sidecarPath(of: name)
        guard listing.contains(sidecar), !name.hasSuffix(".tsv") else { return nil }
        do {
            return try JSONValue.parse(Data(contentsOf: URL(fileURLWithPath: folder + "/" + sidecar)))
        } catch {
            throw fail("\(sidecar) cannot be read: \(error)")
        }
    }
}
