DROP TABLE exchange_rules;
