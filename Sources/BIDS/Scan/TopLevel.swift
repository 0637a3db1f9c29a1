/// What the root folder of a dataset says for all subjects.
struct TopLevel: Sendable {
    var summary: DatasetSummary
    var ignore: BIDSIgnore
    /// Names of the subject folders, `sub-` included, sorted.
    var subjectFolders: [String]
    /// JSON files of the root that can apply to files below.
    var sidecars: [SidecarFile]
    var contents: [String: SidecarContent]

    static func read(
        root: String, statedRole: DatasetRole?, known: [String: KnownFile]
    ) throws(BIDSError) -> TopLevel {
        var reader = DocumentReader(root: root)
        let listing = try FileSystem.list(root) { $0 == ".bidsignore" || !$0.hasPrefix(".") }
        var top = TopLevel(
            summary: DatasetSummary(root: root, role: statedRole ?? .raw), ignore: .none, subjectFolders: [],
            sidecars: [], contents: [:])
        for name in listing.unreadableNames {
            top.report(.warning, path: nil, "\(root) holds a name that is not UTF-8 (\(name)); rename it")
        }

        let files = Set(
            listing.entries.compactMap { entry in
                if case .file = entry.kind { entry.name } else { nil }
            })
        if files.contains(".bidsignore") {
            do throws(BIDSError) {
                let bytes = try reader.bytes(of: ".bidsignore")
                top.ignore = BIDSIgnore(text: String(decoding: bytes, as: UTF8.self))
            } catch {
                top.report(.error, path: ".bidsignore", error.description)
            }
        }
        top.readDescription(
            &reader, isPresent: files.contains(DatasetDescription.fileName), statedRole: statedRole)

        for entry in listing.entries {
            switch entry.kind {
            case .folder:
                guard entry.name.hasPrefix("sub-"), !top.ignore.ignores(entry.name, isFolder: true) else { continue }
                if entry.name.utf8.count == 4 {
                    top.report(.error, path: entry.name, "the folder sub- in \(root) has no label; rename it")
                } else if entry.name.dropFirst(4).contains(where: { !($0.isLetter || $0.isNumber || $0 == "+") }) {
                    top.report(
                        .error, path: entry.name,
                        "the folder \(entry.name) is left out: labels are letters, digits and +; rename it and its files"
                    )
                } else {
                    top.subjectFolders.append(entry.name)
                }
            case .file(let stamp):
                // A name that is not BIDS is no sidecar (dataset_description.json, README.json): nothing to report.
                guard entry.name.hasSuffix(".json"), !top.ignore.ignores(entry.name, isFolder: false),
                    let name = try? BIDSName(parsing: entry.name), name.suffix != "participants"
                else { continue }
                let sidecar = SidecarFile(path: entry.name, stamp: stamp, name: name)
                let content: SidecarContent
                do throws(BIDSError) {
                    content = .success(try reader.object(at: entry.name))
                } catch {
                    content = .failure(error)
                }
                if case .failure(let error) = content { top.report(.error, path: entry.name, error.description) }
                top.sidecars.append(sidecar)
                top.contents[entry.name] = content
            case .brokenLink, .other: continue
            }
        }
        top.recordShared(listing, root: root, known: known)
        top.summary.subjects = top.subjectFolders.map { String($0.dropFirst(4)) }
        if top.subjectFolders.isEmpty {
            top.report(.error, path: nil, MissingSubjects.sentence(root: root))
        }
        if files.contains("participants.tsv") {
            top.readParticipants(&reader, hasSidecar: files.contains("participants.json"))
        }
        top.summary.documents = reader.documents
        return top
    }

    /// Tables and images of the root that apply to files below, as the inheritance principle has it for tables too.
    private mutating func recordShared(_ listing: FileSystem.Listing, root: String, known: [String: KnownFile]) {
        for entry in listing.entries {
            guard case .file(let stamp) = entry.kind, !entry.name.hasSuffix(".json"),
                !ignore.ignores(entry.name, isFolder: false) || summary.role != .raw,
                // A name that is not BIDS (README, CHANGES) is nothing to share.
                let name = try? BIDSName(parsing: entry.name), name.subject == nil,
                name.fileExtension == ".tsv" || name.isImage, name.suffix != "participants", name.suffix != "samples"
            else { continue }
            let applicable = SidecarInheritance.applicable(to: name, levels: [sidecars])
            let sidecarStamp = SidecarInheritance.stamp(applicable)
            if known[entry.name] == KnownFile(stamp: stamp, sidecarStamp: sidecarStamp) {
                summary.unchanged.append(entry.name)
                continue
            }
            let (metadata, problem) = SidecarInheritance.merge(applicable) { sidecar in
                contents[sidecar.path] ?? SidecarInheritance.read(root: root, sidecar)
            }
            let isEmpty = stamp.sizeBytes == 0
            summary.changed.append(
                BIDSFile(
                    root: root, path: entry.name, stamp: stamp, name: name, datatype: nil, dataset: summary.role,
                    metadata: metadata, sidecarStamp: sidecarStamp,
                    problem: isEmpty ? "\(entry.name) is empty (0 bytes); copy or write it again" : problem))
        }
    }

    private mutating func report(_ severity: DatasetProblem.Severity, path: String?, _ sentence: String) {
        summary.problems.append(DatasetProblem(severity, path: path, sentence))
    }

    private mutating func readDescription(
        _ reader: inout DocumentReader, isPresent: Bool, statedRole: DatasetRole?
    ) {
        let root = reader.root
        let fileName = DatasetDescription.fileName
        guard isPresent else {
            report(.warning, path: nil, "\(root) has no \(fileName); add one, the standard requires it")
            return
        }
        do throws(BIDSError) {
            let members = try reader.object(at: fileName)
            let (description, problems) = DatasetDescription.read(.object(members), path: fileName)
            summary.description = description
            summary.problems += problems
            if statedRole == nil, description.isDerivative {
                let folder = root.split(separator: "/").last.map(String.init) ?? root
                summary.role = .derivative(name: folder, pipeline: description.generatedBy.first?.name)
            }
        } catch {
            report(.error, path: fileName, error.description)
        }
    }

    private mutating func readParticipants(_ reader: inout DocumentReader, hasSidecar: Bool) {
        let (table, problems) = TableReader.read(
            &reader, path: "participants.tsv", sidecarPath: hasSidecar ? "participants.json" : nil,
            kind: .participants, subject: nil)
        summary.participants = table
        summary.problems += problems
        guard let table else { return }
        let missing = summary.subjects.filter { table.rows[$0] == nil && table.ambiguous[$0] == nil }
        for subject in missing {
            summary.problems.append(
                DatasetProblem(
                    .warning, path: "participants.tsv", subject: subject,
                    "participants.tsv has no line for sub-\(subject); add one, its covariates are missing"))
        }
    }
}

enum TableReader {
    /// Reads a table with its JSON; what cannot be read is a problem, and the table then nil.
    static func read(
        _ reader: inout DocumentReader, path: String, sidecarPath: String?, kind: CovariateTable.Kind,
        subject: String?
    ) -> (CovariateTable?, [DatasetProblem]) {
        var problems: [DatasetProblem] = []
        var sidecar: JSONValue?
        if let sidecarPath {
            do throws(BIDSError) {
                sidecar = .object(try reader.object(at: sidecarPath))
            } catch {
                problems.append(DatasetProblem(.warning, path: sidecarPath, subject: subject, error.description))
            }
        }
        do throws(BIDSError) {
            let bytes = try reader.bytes(of: path)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .table(path: path, line: 1, reason: "the file is not UTF-8; save it as UTF-8")
            }
            let (file, lineProblems) = try TabularFile.parse(text, path: path)
            let (table, rowProblems) = try CovariateTable.make(
                file, kind: kind, sidecar: sidecar, path: path, subject: subject)
            return (table, problems + lineProblems + rowProblems)
        } catch {
            return (nil, problems + [DatasetProblem(.error, path: path, subject: subject, error.description)])
        }
    }
}
