import Postgres
import Wire
import Workflow

extension Store {
    /// The datasets of the index, as a listing: nothing was added, changed or removed by looking.
    package func indexedDatasets() async throws -> [IndexReport.Dataset] {
        try await report { session in
            try session.query(
                """
                SELECT d.dataset_id, d.path, d.name, count(f.path)::int, coalesce(array_length(d.subjects, 1), 0),
                       count(DISTINCT (f.subject, f.session)) FILTER (WHERE f.subject IS NOT NULL)::int,
                       count(f.digest)::int
                FROM dataset d LEFT JOIN bids_file f USING (dataset_id)
                GROUP BY d.dataset_id ORDER BY d.path
                """
            ) { row in
                let (id, path, name, files, subjects, sessions, digested) = try row.decode(
                    Int64.self, String.self, String.self, Int.self, Int.self, Int.self, Int.self)
                return IndexReport.Dataset(
                    id: DatasetID(rawValue: id), path: path, name: name, files: files, added: 0, changed: 0,
                    removed: 0, subjects: subjects, sessions: sessions, digested: digested, seconds: 0)
            }
        }
    }

    /// Why single files of a dataset cannot be used, at most a thousand sentences.
    package func fileProblems(of dataset: DatasetID) async throws -> [String] {
        try await report { session in
            try session.query(
                """
                SELECT problem FROM bids_file WHERE dataset_id = $1 AND problem IS NOT NULL ORDER BY path LIMIT 1000
                """, [.bigint(dataset.rawValue)]
            ) { try $0[0] as String }
        }
    }
}
