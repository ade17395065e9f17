DROP TABLE audit;
DROP FUNCTION audit_is_only_appended_to();
DELETE FROM counters WHERE name = 'audit';
