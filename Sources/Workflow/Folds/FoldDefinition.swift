import BIDS

/// How the people of a run are put into the folds of a cross-validation.
package struct FoldDefinition: Hashable, Sendable {
    package enum Count: Hashable, Sendable {
        /// So many, 2 or more.
        case folds(Int)
        /// One fold per person: leave one out.
        case eachPerson
    }

    /// A column of `participants.tsv` whose values every fold gets its share of, or a number of rows of a person's own tables.
    package struct Stratification: Hashable, Sendable {
        package var column: String
        /// Count rows of such tables in which the column says this; nil: the column is one of `participants.tsv`.
        package var counted: RowCount?
        package var rule: Rule

        package init(column: String, counted: RowCount? = nil, rule: Rule = .automatic) {
            (self.column, self.counted, self.rule) = (column, counted, rule)
        }

        /// What it is, for people.
        package var words: String { counted.map { "number of rows with \(column) “\($0.value)”" } ?? column }
    }

    /// Which rows of which tables of a person count, such as lesions of a class.
    package struct RowCount: Hashable, Sendable {
        package var table: DatasetQuery
        /// What a cell of the column says.
        package var value: String

        package init(table: DatasetQuery, value: String) { (self.table, self.value) = (table, value) }
    }

    package enum Rule: Hashable, Sendable {
        /// Texts by value, numbers in three groups of about equal size.
        case automatic
        /// Numbers from edge to edge, ascending: a number at an edge belongs to the group above it.
        case edges([Double])
        /// Numbers in so many groups of about equal size.
        case groups(Int)
    }

    package var count: Count
    package var seed: Int64
    package var stratify: [Stratification]
    /// Only people who have a file of one of these are put into folds; empty: everybody.
    package var among: [DatasetQuery]
    /// No step is done per fold: being in one only says who takes part, and nobody is missed where there are fewer people than
    /// folds.
    package var isMembership = false

    package init(count: Count, seed: Int64 = 1, stratify: [Stratification] = [], among: [DatasetQuery] = []) {
        (self.count, self.seed, self.stratify, self.among) = (count, seed, stratify, among)
    }
}

/// Which people a step over the cohort reads, or (folds only) which ones another step has tasks for.
package enum FoldPeople: String, Codable, Hashable, Sendable, CaseIterable {
    /// Of the task's fold: everybody in the folds but those of this one.
    case training
    /// Of the task's fold: those of this one.
    case test
    /// Everybody who is in a fold.
    case folds
}

/// Parameters with which a workflow applies what its folds trained to other people: set `condition` to false and `models`
/// to the name of the models.
package struct FoldReuse: Hashable, Sendable {
    /// The step that trains.
    package var step: String
    package var condition: String
    package var models: String

    package init(step: String, condition: String, models: String) {
        (self.step, self.condition, self.models) = (step, condition, models)
    }
}
