/// One subject's folder: lists its files, merges their sidecars.
struct SubjectWalk {
    private let root: String
    private let top: TopLevel
    private let folder: String
    private let known: [String: KnownFile]
    private var scan: SubjectScan
    /// Sidecars of this subject read so far, by path.
    private var contents: [String: SidecarContent] = [:]
    /// Folders from the subject's down to the one being walked: a link back to one of them is a loop.
    private var ancestors: [[UInt64]] = []

    private struct Place {
        var path: String
        var session: String?
        var datatype: String?
    }

    init(root: String, top: TopLevel, folder: String, known: [String: KnownFile]) {
        self.root = root
        self.top = top
        self.folder = folder
        self.known = known
        scan = SubjectScan(subject: String(folder.dropFirst(4)))
    }

    mutating func run() -> SubjectScan {
        walk(Place(path: folder), levels: [top.sidecars])
        if scan.changed.isEmpty, scan.unchanged.isEmpty {
            scan.problems.append(
                DatasetProblem(.warning, path: folder, subject: scan.subject, "\(folder) holds no BIDS file"))
        }
        return scan
    }

    private mutating func report(
        _ severity: DatasetProblem.Severity, _ path: String, _ place: Place, _ sentence: String
    ) {
        scan.problems.append(
            DatasetProblem(severity, path: path, subject: scan.subject, session: place.session, sentence))
    }

    private mutating func walk(_ place: Place, levels: [[SidecarFile]]) {
        let listing: FileSystem.Listing
        do throws(BIDSError) {
            listing = try FileSystem.list(root + "/" + place.path) { !$0.hasPrefix(".") }
        } catch {
            report(.error, place.path, place, error.description)
            return
        }
        for name in listing.unreadableNames {
            report(.warning, place.path, place, "\(place.path) holds a name that is not UTF-8 (\(name)); rename it")
        }

        var sidecars: [SidecarFile] = []
        var files: [(path: String, name: BIDSName, stamp: FileStamp, brokenTarget: String?)] = []
        var folders: [String] = []
        for entry in listing.entries {
            let path = place.path + "/" + entry.name
            // Pipelines list what the standard has no name for yet, transforms above all: in a derivative a file so
            // listed may still be an input. Folders are left out everywhere.
            if !top.ignore.isEmpty, entry.isFolder || top.summary.role == .raw,
                top.ignore.ignores(path, isFolder: entry.isFolder)
            {
                continue
            }
            let stamp: FileStamp
            var brokenTarget: String?
            switch entry.kind {
            case .folder:
                folders.append(entry.name)
                continue
            case .other: continue
            case .file(let found): stamp = found
            case .brokenLink(let target, let found): (stamp, brokenTarget) = (found, target)
            }
            do throws(BIDSNameError) {
                let name = try BIDSName(parsing: entry.name)
                if name.fileExtension == ".json", brokenTarget == nil {
                    sidecars.append(SidecarFile(path: path, stamp: stamp, name: name))
                } else if name.entities.isEmpty {
                    // README.md, notes.txt
                    if top.summary.role == .raw {
                        report(.warning, path, place, "\(path) names no subject; rename it or list it in .bidsignore")
                    }
                } else {
                    files.append((path, name, stamp, brokenTarget))
                }
            } catch {
                // Pipelines put files of their own into derivatives; a raw dataset should hold none.
                if top.summary.role == .raw { report(.warning, path, place, "\(place.path)/\(error.description)") }
            }
        }

        let ownLevels = levels + [sidecars]
        var used: Set<String> = []
        for file in files {
            if file.name.suffix == "sessions", file.name.fileExtension == ".tsv", place.path == folder {
                readSessions(file.path, sidecars: sidecars)
                continue
            }
            let applicable = SidecarInheritance.applicable(to: file.name, levels: ownLevels)
            for sidecar in applicable.last ?? [] { used.insert(sidecar.path) }
            record(file.path, file.name, file.stamp, place, applicable, brokenTarget: file.brokenTarget)
        }
        // A sidecar beside no image is remembered as a file, so that a query can say "the sidecar is there, the image is
        // not". Above the datatype folder sidecars serve the folders below.
        if place.datatype != nil {
            for sidecar in sidecars where !used.contains(sidecar.path) {
                record(sidecar.path, sidecar.name, sidecar.stamp, place, [[sidecar]], brokenTarget: nil)
            }
        }

        guard place.datatype == nil else { return }
        for name in folders { enter(name, from: place, levels: ownLevels) }
    }

    private mutating func enter(_ name: String, from place: Place, levels: [[SidecarFile]]) {
        var inner = place
        inner.path = place.path + "/" + name
        if name.hasPrefix("ses-"), place.session == nil {
            let session = String(name.dropFirst(4))
            if session.isEmpty || session.contains(where: { !($0.isLetter || $0.isNumber || $0 == "+") }) {
                report(
                    .error, inner.path, place,
                    "the folder \(inner.path) is left out: session labels are letters, digits and +; rename it")
                return
            }
            inner.session = session
            scan.sessions.append(session)
        } else if name == "figures" || name == "log" || name == "logs" || name.contains(".") {
            // Reports of pipelines, and data that are folders (.ds, .zarr): nothing in them has a place in the index.
            return
        } else {
            inner.datatype = name
        }
        guard let identity = FileSystem.identity(root + "/" + inner.path) else { return }
        if ancestors.contains(identity) {
            report(.error, inner.path, inner, "\(inner.path) is a link back to a folder above it; remove the link")
            return
        }
        ancestors.append(identity)
        walk(inner, levels: levels)
        ancestors.removeLast()
    }

    private mutating func record(
        _ path: String, _ name: BIDSName, _ stamp: FileStamp, _ place: Place, _ sidecars: [[SidecarFile]],
        brokenTarget: String?
    ) {
        let sidecarStamp = SidecarInheritance.stamp(sidecars)
        if let earlier = known[path], earlier.stamp == stamp, earlier.sidecarStamp == sidecarStamp {
            scan.unchanged.append(path)
            return
        }
        let (metadata, sidecarProblem) = SidecarInheritance.merge(sidecars) { sidecar in
            if let content = top.contents[sidecar.path] ?? contents[sidecar.path] { return content }
            let content = SidecarInheritance.read(root: root, sidecar)
            contents[sidecar.path] = content
            return content
        }
        scan.changed.append(
            BIDSFile(
                root: root, path: path, stamp: stamp, name: name, datatype: place.datatype, dataset: top.summary.role,
                metadata: metadata, sidecarStamp: sidecarStamp,
                problem: problem(path, name, stamp, place, brokenTarget: brokenTarget) ?? sidecarProblem))
    }

    /// What is wrong with the file itself, the gravest first.
    private func problem(
        _ path: String, _ name: BIDSName, _ stamp: FileStamp, _ place: Place, brokenTarget: String?
    ) -> String? {
        if let brokenTarget {
            let isAnnexed = brokenTarget.contains(".git/annex/objects")
            let remedy =
                isAnnexed ? "its content is not here, fetch it with `datalad get`" : "repair the link or remove it"
            return "\(path) is a link to \(brokenTarget), which is not there; \(remedy)"
        }
        if stamp.sizeBytes == 0, name.fileExtension != ".json" {
            return "\(path) is empty (0 bytes); copy or convert it again"
        }
        if name.subject != scan.subject {
            let named = name.subject.map { "is named sub-\($0)" } ?? "names no subject"
            return "\(path) lies in the folder of sub-\(scan.subject) but \(named); move or rename it"
        }
        if name.session != place.session {
            let named = name.session.map { "is named ses-\($0)" } ?? "names no session"
            let lies = place.session.map { "in the folder of ses-\($0)" } ?? "in no session folder"
            return "\(path) lies \(lies) but \(named); move or rename it"
        }
        return nil
    }

    private mutating func readSessions(_ path: String, sidecars: [SidecarFile]) {
        let own = sidecars.first { $0.name.suffix == "sessions" }?.path
        let inherited = top.sidecars.first { $0.name.suffix == "sessions" }?.path
        var reader = DocumentReader(root: root)
        let (table, problems) = TableReader.read(
            &reader, path: path, sidecarPath: own ?? inherited, kind: .sessions, subject: scan.subject)
        scan.sessionTable = table
        scan.documents += reader.documents
        scan.problems += problems
    }
}

extension FileSystem.Entry {
    fileprivate var isFolder: Bool {
        if case .folder = kind { true } else { false }
    }
}
