// #embed is C23; clang has it as an extension for earlier standards, and says so.
#pragma clang diagnostic ignored "-Wc23-extensions"

#include "include/cresources.h"

static const unsigned char initial[] = {
#embed "../Coordinator/Migrations/SQL/0001_initial.sql"
};

static const unsigned char views[] = {
#embed "../Coordinator/Migrations/SQL/0002_result_views.sql"
};

static const unsigned char documents[] = {
#embed "../Coordinator/Migrations/SQL/0003_documents.sql"
};

static const unsigned char people_and_volumes[] = {
#embed "../Coordinator/Migrations/SQL/0004_people_and_volumes.sql"
};

static const unsigned char models[] = {
#embed "../Coordinator/Migrations/SQL/0005_models.sql"
};

static const unsigned char flags[] = {
#embed "../Coordinator/Migrations/SQL/0006_flags.sql"
};

static const unsigned char folds[] = {
#embed "../Coordinator/Migrations/SQL/0007_folds.sql"
};

static const unsigned char evaluation[] = {
#embed "../Coordinator/Migrations/SQL/0008_evaluation.sql"
};

static const unsigned char model_groups[] = {
#embed "../Coordinator/Migrations/SQL/0009_model_groups.sql"
};

static const unsigned char published_figures[] = {
#embed "../Coordinator/Migrations/SQL/0010_published_figures.sql"
};

static const unsigned char decisions[] = {
#embed "../Coordinator/Migrations/SQL/0011_classification_decisions.sql"
};

static const unsigned char folds_of_people[] = {
#embed "../Coordinator/Migrations/SQL/0012_folds_of_people.sql"
};

static const unsigned char detection_differences[] = {
#embed "../Coordinator/Migrations/SQL/0013_detection_differences.sql"
};

static const unsigned char data_kind[] = {
#embed "../Coordinator/Migrations/SQL/0014_data_kind.sql"
};

static const unsigned char warnings[] = {
#embed "../Coordinator/Migrations/SQL/0015_warnings.sql"
};

static const unsigned char data_of_results[] = {
#embed "../Coordinator/Migrations/SQL/0016_data_of_results.sql"
};

static const unsigned char published_classifications[] = {
#embed "../Coordinator/Migrations/SQL/0017_published_classifications.sql"
};

static const struct qsm_resource migrations[] = {
    {"0001_initial", initial, sizeof initial},
    {"0002_result_views", views, sizeof views},
    {"0003_documents", documents, sizeof documents},
    {"0004_people_and_volumes", people_and_volumes, sizeof people_and_volumes},
    {"0005_models", models, sizeof models},
    {"0006_flags", flags, sizeof flags},
    {"0007_folds", folds, sizeof folds},
    {"0008_evaluation", evaluation, sizeof evaluation},
    {"0009_model_groups", model_groups, sizeof model_groups},
    {"0010_published_figures", published_figures, sizeof published_figures},
    {"0011_classification_decisions", decisions, sizeof decisions},
    {"0012_folds_of_people", folds_of_people, sizeof folds_of_people},
    {"0013_detection_differences", detection_differences, sizeof detection_differences},
    {"0014_data_kind", data_kind, sizeof data_kind},
    {"0015_warnings", warnings, sizeof warnings},
    {"0016_data_of_results", data_of_results, sizeof data_of_results},
    {"0017_published_classifications", published_classifications, sizeof published_classifications},
};

_Bool qsm_migration(size_t index, struct qsm_resource *resource) {
    if (index >= sizeof migrations / sizeof migrations[0]) {
        return 0;
    }
    *resource = migrations[index];
    return 1;
}
