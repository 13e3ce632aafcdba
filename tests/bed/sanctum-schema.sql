CREATE TABLE letta_users (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            created_at TEXT DEFAULT CURRENT_TIMESTAMP,
            last_active TEXT,
            letta_identity_id TEXT,
            letta_block_id TEXT,
            agent_preferences TEXT,
            custom_instructions TEXT,
            is_active INTEGER DEFAULT 1
        );
CREATE TABLE platform_profiles (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            letta_user_id INTEGER,
            platform TEXT,
            platform_user_id TEXT,
            username TEXT,
            display_name TEXT,
            metadata TEXT,
            created_at TEXT DEFAULT CURRENT_TIMESTAMP,
            last_active TEXT,
            FOREIGN KEY (letta_user_id) REFERENCES letta_users(id),
            UNIQUE(platform, platform_user_id)
        );
CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            letta_user_id INTEGER,
            platform_profile_id INTEGER,
            role TEXT,
            message TEXT,
            timestamp TEXT,
            processed INTEGER DEFAULT 0,
            agent_response TEXT,
            FOREIGN KEY (letta_user_id) REFERENCES letta_users(id),
            FOREIGN KEY (platform_profile_id) REFERENCES platform_profiles(id)
        );
CREATE TABLE queue (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            letta_user_id INTEGER,
            message_id INTEGER,
            status TEXT,
            attempts INTEGER DEFAULT 0,
            timestamp TEXT DEFAULT CURRENT_TIMESTAMP,
            FOREIGN KEY (letta_user_id) REFERENCES letta_users(id),
            FOREIGN KEY (message_id) REFERENCES messages(id)
        );
